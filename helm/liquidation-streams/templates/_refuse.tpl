{{- /* What the schema cannot say because it takes two keys or the cluster: every mistake at once, each with its key. */ -}}
{{- define "streams.refuse" -}}
{{- $kafka := .Values.kafka }}
{{- $wrong := list }}
{{- if not $kafka.brokers }}
{{- $wrong = append $wrong "kafka.brokers is needed: host:port of your brokers, several with commas" }}
{{- end }}
{{- if hasPrefix "SASL_" $kafka.securityProtocol }}
{{- range list "saslMechanism" "loginSecret" }}
{{- if not (get $kafka .) }}
{{- $wrong = append $wrong (printf "kafka.%s is needed with kafka.securityProtocol=%s" . $kafka.securityProtocol) }}
{{- end }}
{{- end }}
{{- else }}
{{- range list "saslMechanism" "loginSecret" }}
{{- if get $kafka . }}
{{- $wrong = append $wrong (printf "kafka.%s needs kafka.securityProtocol=SASL_SSL or SASL_PLAINTEXT, was %s" . $kafka.securityProtocol) }}
{{- end }}
{{- end }}
{{- end }}
{{- if not (hasSuffix "SSL" $kafka.securityProtocol) }}
{{- range list "caSecret" "clientSecret" }}
{{- if get $kafka . }}
{{- $wrong = append $wrong (printf "kafka.%s needs kafka.securityProtocol=SSL or SASL_SSL, was %s" . $kafka.securityProtocol) }}
{{- end }}
{{- end }}
{{- end }}
{{- if and .Values.registry.loginSecret (not .Values.registry.url) }}
{{- $wrong = append $wrong "registry.loginSecret needs registry.url" }}
{{- end }}
{{- if and .Values.registry.caSecret (not (hasPrefix "https:" .Values.registry.url)) }}
{{- $wrong = append $wrong (printf "registry.caSecret needs registry.url to begin with https://, was %q" .Values.registry.url) }}
{{- end }}
{{- $partitions := int .Values.topics.partitions }}
{{- if gt (int .Values.replicas) $partitions }}
{{- $wrong = append $wrong (printf "replicas must be at most topics.partitions=%d, was %d: a worker beyond that has nothing to do" $partitions (int .Values.replicas)) }}
{{- end }}
{{- if .Values.autoscaling.enabled }}
{{- $most := int .Values.autoscaling.replicasMax }}
{{- if gt $most $partitions }}
{{- $wrong = append $wrong (printf "autoscaling.replicasMax must be at most topics.partitions=%d, was %d: a worker beyond that has nothing to do" $partitions $most) }}
{{- end }}
{{- if lt $most (int .Values.replicas) }}
{{- $wrong = append $wrong (printf "autoscaling.replicasMax must be at least replicas=%d, was %d" (int .Values.replicas) $most) }}
{{- end }}
{{- end }}
{{- if $wrong }}
{{- fail (printf "\n\n  %s\n" (join "\n  " $wrong)) }}
{{- end }}
{{- include "streams.refuseSecrets" . }}
{{- end }}

{{- /* A Secret that is not there would only show as a pod that never starts. Without a cluster (helm template) a lookup
       answers with nothing at all, with one it answers at least with an empty list. */ -}}
{{- define "streams.refuseSecrets" -}}
{{- if hasKey (lookup "apps/v1" "Deployment" .Release.Namespace "") "items" }}
{{- $wrong := list }}
{{- $wanted := list
  (list "kafka.loginSecret" .Values.kafka.loginSecret "username" "password")
  (list "kafka.caSecret" .Values.kafka.caSecret "ca.crt")
  (list "kafka.clientSecret" .Values.kafka.clientSecret "tls.crt" "tls.key")
  (list "registry.loginSecret" .Values.registry.loginSecret "username" "password")
  (list "registry.caSecret" .Values.registry.caSecret "ca.crt") }}
{{- range $each := $wanted }}
{{- $key := index $each 0 }}
{{- with $name := index $each 1 }}
{{- $there := lookup "v1" "Secret" $.Release.Namespace $name }}
{{- if not $there }}
{{- $wrong = append $wrong (printf "%s: there is no Secret %s in the namespace %s; it needs the keys %s" $key $name $.Release.Namespace (join " and " (slice $each 2))) }}
{{- else }}
{{- range slice $each 2 }}
{{- if not (hasKey ($there.data | default dict) .) }}
{{- $wrong = append $wrong (printf "%s: the Secret %s in the namespace %s has no key %s" $key $name $.Release.Namespace .) }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- if $wrong }}
{{- fail (printf "\n\n  %s\n" (join "\n  " $wrong)) }}
{{- end }}
{{- end }}
{{- end }}
