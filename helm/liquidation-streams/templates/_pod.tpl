{{- /* What every pod of this chart has in common: who it is, where it may run, and what it may not. */ -}}
{{- define "streams.pod" -}}
automountServiceAccountToken: false
{{- /* A Service named "streams" would put STREAMS_PORT into the environment, and the worker refuses names it does not know. */}}
enableServiceLinks: false
securityContext:
  runAsNonRoot: true
  {{- range $name, $id := .Values.podUser }}
  {{- if $id }}
  {{ $name }}: {{ int64 $id }}
  {{- end }}
  {{- end }}
  seccompProfile: {type: RuntimeDefault}
{{- with .Values.serviceAccountName }}
serviceAccountName: {{ . }}
{{- end }}
{{- with .Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
volumes:
  {{- /* Faust wants a folder for files of its own; the state is in Kafka. */}}
  - name: scratch
    emptyDir: {sizeLimit: 16Mi}
  {{- range $name, $secret := include "streams.secrets" . | fromYaml }}
  - name: {{ $name }}
    secret: {secretName: {{ $secret }}, defaultMode: 0440}
  {{- end }}
{{- end }}

{{- /* Labels and annotations of a pod: of its own labels (given as text) none is replaced, because selectors look for them. */ -}}
{{- define "streams.marks" -}}
{{- $values := index . 0 }}
labels:
  {{- merge (index . 1 | fromYaml) $values.podLabels | toYaml | nindent 2 }}
{{- with $values.podAnnotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "streams.container" -}}
image: {{ include "streams.image" . }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
env:
  {{- include "streams.env" . | nindent 2 }}
volumeMounts:
  - {name: scratch, mountPath: /tmp}
  {{- range $name, $_ := include "streams.secrets" . | fromYaml }}
  - {name: {{ $name }}, mountPath: /etc/streams/{{ $name }}, readOnly: true}
  {{- end }}
{{- end }}

{{- /* Secrets by the name of their volume. */ -}}
{{- define "streams.secrets" -}}
{{- with .Values.kafka.loginSecret }}
kafka-login: {{ . }}
{{- end }}
{{- with .Values.kafka.caSecret }}
kafka-ca: {{ . }}
{{- end }}
{{- with .Values.kafka.clientSecret }}
kafka-client: {{ . }}
{{- end }}
{{- with .Values.registry.loginSecret }}
registry-login: {{ . }}
{{- end }}
{{- with .Values.registry.caSecret }}
registry-ca: {{ . }}
{{- end }}
{{- end }}

{{- define "streams.env" -}}
- {name: STREAMS_BROKER, value: {{ .Values.kafka.brokers | quote }}}
- {name: STREAMS_APP_ID, value: {{ .Values.appId | quote }}}
- {name: STREAMS_WEB_HOST, value: "0.0.0.0"}
- {name: STREAMS_WEB_PORT, value: "6066"}
- {name: STREAMS_SECURITY_PROTOCOL, value: {{ .Values.kafka.securityProtocol }}}
{{- with .Values.kafka.saslMechanism }}
- {name: STREAMS_SASL_MECHANISM, value: {{ . }}}
{{- end }}
{{- with .Values.kafka.loginSecret }}
- name: STREAMS_SASL_USERNAME
  valueFrom: {secretKeyRef: {name: {{ . }}, key: username}}
- {name: STREAMS_SASL_PASSWORD_FILE, value: /etc/streams/kafka-login/password}
{{- end }}
{{- if .Values.kafka.caSecret }}
- {name: STREAMS_SSL_CAFILE, value: /etc/streams/kafka-ca/ca.crt}
{{- end }}
{{- if .Values.kafka.clientSecret }}
- {name: STREAMS_SSL_CERTFILE, value: /etc/streams/kafka-client/tls.crt}
- {name: STREAMS_SSL_KEYFILE, value: /etc/streams/kafka-client/tls.key}
{{- end }}
{{- with .Values.registry.url }}
- {name: STREAMS_REGISTRY_URL, value: {{ . | quote }}}
{{- end }}
{{- with .Values.registry.loginSecret }}
- name: STREAMS_REGISTRY_USERNAME
  valueFrom: {secretKeyRef: {name: {{ . }}, key: username}}
- {name: STREAMS_REGISTRY_PASSWORD_FILE, value: /etc/streams/registry-login/password}
{{- end }}
{{- if .Values.registry.caSecret }}
- {name: STREAMS_REGISTRY_CAFILE, value: /etc/streams/registry-ca/ca.crt}
{{- end }}
{{- range $name, $value := .Values.settings }}
- {name: {{ $name }}, value: {{ include "streams.text" $value | quote }}}
{{- end }}
{{- end }}

{{- /* Numbers of a values file are floats to Helm, and 2000000 would become 2e+06. */ -}}
{{- define "streams.text" -}}
{{- if and (kindIs "float64" .) (eq (floor .) .) }}{{ int64 . }}{{ else }}{{ . }}{{ end }}
{{- end }}
