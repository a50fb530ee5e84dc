{{- define "streams.name" -}}
{{ .Release.Name | trunc 45 | trimSuffix "-" }}
{{- end }}

{{- define "streams.labels" -}}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/part-of: {{ .Chart.Name }}
{{ include "streams.ours" . }}
{{- end }}

{{- /* What selects every pod of this release; a component beside it selects the workers alone. */ -}}
{{- define "streams.ours" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "streams.workers" -}}
{{ include "streams.ours" . }}
app.kubernetes.io/component: worker
{{- end }}

{{- define "streams.hooks" -}}
{{ include "streams.ours" . }}
app.kubernetes.io/component: topics
{{- end }}

{{- define "streams.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}

{{- /* Name of the scrape job. The alerts know the workers by its first part. */ -}}
{{- define "streams.job" -}}
{{ .Chart.Name }}/{{ .Release.Namespace }}/{{ include "streams.name" . }}
{{- end }}
