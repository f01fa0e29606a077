{{- define "nomad-exporter.fullname" -}}
{{- if contains .Chart.Name .Release.Name -}}
{{- .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name .Chart.Name | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "nomad-exporter.selector" -}}
app.kubernetes.io/name: nomad-exporter
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "nomad-exporter.labels" -}}
{{ include "nomad-exporter.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end -}}

{{/* The Secret that holds the token; empty where there is none. */}}
{{- define "nomad-exporter.secret" -}}
{{- with .Values.nomad.token -}}
{{- if .existingSecret -}}
{{- .existingSecret -}}
{{- else if .value -}}
{{- include "nomad-exporter.fullname" $ }}-token
{{- end -}}
{{- end -}}
{{- end -}}
