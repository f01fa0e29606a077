{{- define "nomad-exporter.name" -}}
{{- .Values.nameOverride | default .Chart.Name | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "nomad-exporter.fullname" -}}
{{- $name := include "nomad-exporter.name" . -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" -}}
{{- else if contains $name .Release.Name -}}
{{- .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "nomad-exporter.selector" -}}
app.kubernetes.io/name: {{ include "nomad-exporter.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "nomad-exporter.labels" -}}
{{ include "nomad-exporter.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "nomad-exporter.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}
{{ .repository }}{{ with .tag }}:{{ . }}{{ end }}@{{ .digest }}
{{- else -}}
{{ .repository }}:{{ .tag | default $.Chart.AppVersion }}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* Name of the Secret with the token; empty if there is none. */}}
{{- define "nomad-exporter.secret" -}}
{{- with .Values.nomad.token -}}
{{- if .existingSecret -}}
{{- .existingSecret -}}
{{- else if .value -}}
{{- include "nomad-exporter.fullname" $ }}-token
{{- end -}}
{{- end -}}
{{- end -}}

{{/* Name of the Secret with the web configuration; empty if there is none. */}}
{{- define "nomad-exporter.webSecret" -}}
{{- if .Values.web.existingSecret -}}
{{- .Values.web.existingSecret -}}
{{- else if .Values.web.config -}}
{{- include "nomad-exporter.fullname" . }}-web
{{- end -}}
{{- end -}}

{{- define "nomad-exporter.scheme" -}}
{{- if .Values.web.scheme -}}
{{- .Values.web.scheme -}}
{{- else if .Values.web.existingSecret -}}
{{- fail "web.existingSecret: say what it makes of the exporter: web.scheme is http or https" -}}
{{- else if .Values.web.config.tls_server_config -}}
https
{{- else -}}
http
{{- end -}}
{{- end -}}

{{/* The ports of Nomad's addresses, as JSON. */}}
{{- define "nomad-exporter.ports" -}}
{{- $ports := list -}}
{{- range .Values.nomad.addresses -}}
{{- $url := urlParse . -}}
{{- $port := regexFind ":[0-9]+$" $url.host | trimPrefix ":" | default (ternary "443" "80" (eq $url.scheme "https")) -}}
{{- $ports = append $ports (int $port) -}}
{{- end -}}
{{- $ports | uniq | toJson -}}
{{- end -}}

{{/* A probe from the values. If they set no handler, it is derived from the exporter's TLS and authentication. */}}
{{- define "nomad-exporter.probe" -}}
{{- $values := .root.Values -}}
{{- $probe := index $values .probe -}}
{{- $own := or $probe.httpGet $probe.exec $probe.tcpSocket $probe.grpc -}}
{{- $ready := eq .probe "readinessProbe" -}}
{{- $web := $values.web -}}
{{- if $own -}}
{{ toYaml $probe }}
{{- else if include "nomad-exporter.webSecret" .root -}}
{{- if and (hasPrefix "Require" (dig "tls_server_config" "client_auth_type" "" $web.config)) (not $web.healthcheck.clientCertSecret) -}}
{{- fail "web.config requires client certificates: the probes need one too, in the Secret web.healthcheck.clientCertSecret" -}}
{{- end -}}
{{- $command := list "/usr/bin/nomad-exporter" "healthcheck" -}}
{{- /* If the probe does not have the required password, it can only check that the exporter requires one. */ -}}
{{- if and $ready (or (not $web.config.basic_auth_users) $web.healthcheck.user) -}}
{{- $command = append $command "--ready" -}}
{{- end -}}
exec:
  command: {{ toJson $command }}
{{ toYaml $probe }}
{{- else -}}
httpGet:
  path: {{ ternary "/-/ready" "/-/healthy" $ready }}
  port: http
{{ toYaml $probe }}
{{- end -}}
{{- end -}}

{{/* Variables and volume mounts, for the exporter's pod and for that of `helm test`. */}}
{{- define "nomad-exporter.env" -}}
- name: NOMAD_EXPORTER_NOMAD_ADDRESS
  value: {{ join "," .Values.nomad.addresses | quote }}
{{- if include "nomad-exporter.secret" . }}
- name: NOMAD_EXPORTER_NOMAD_TOKEN_FILE
  value: /var/run/secrets/nomad/token
{{- end }}
{{- with .Values.nomad.tls }}
{{- if .caSecret }}
- name: NOMAD_EXPORTER_NOMAD_CA_FILE
  value: /etc/nomad-exporter/nomad-ca/{{ .caKey }}
{{- end }}
{{- if .clientCertSecret }}
- name: NOMAD_EXPORTER_NOMAD_CLIENT_CERT
  value: /etc/nomad-exporter/nomad-client/tls.crt
- name: NOMAD_EXPORTER_NOMAD_CLIENT_KEY
  value: /etc/nomad-exporter/nomad-client/tls.key
{{- end }}
{{- if .serverName }}
- name: NOMAD_EXPORTER_NOMAD_TLS_SERVER_NAME
  value: {{ .serverName | quote }}
{{- end }}
{{- end }}
{{- if include "nomad-exporter.webSecret" . }}
- name: NOMAD_EXPORTER_WEB_CONFIG_FILE
  value: /etc/nomad-exporter/web/{{ .Values.web.key }}
- name: NOMAD_EXPORTER_HEALTHCHECK_SCHEME
  value: {{ include "nomad-exporter.scheme" . }}
{{- with .Values.web.healthcheck }}
{{- if .user }}
- name: NOMAD_EXPORTER_HEALTHCHECK_USER
  value: {{ .user | quote }}
- name: NOMAD_EXPORTER_HEALTHCHECK_PASSWORD_FILE
  value: /etc/nomad-exporter/healthcheck-password/{{ .passwordKey }}
{{- end }}
{{- if .clientCertSecret }}
- name: NOMAD_EXPORTER_HEALTHCHECK_CLIENT_CERT
  value: /etc/nomad-exporter/healthcheck-client/tls.crt
- name: NOMAD_EXPORTER_HEALTHCHECK_CLIENT_KEY
  value: /etc/nomad-exporter/healthcheck-client/tls.key
{{- end }}
{{- end }}
{{- end }}
{{- range $name, $value := .Values.env }}
- name: {{ $name }}
  value: {{ $value | quote }}
{{- end }}
{{- with .Values.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* The mounted Secrets, as a JSON map of volume names to Secret and folder. */}}
{{- define "nomad-exporter.mounts" -}}
{{- $mounts := dict -}}
{{- with .Values.nomad.tls -}}
{{- with .caSecret }}{{ $_ := set $mounts "nomad-ca" . }}{{ end -}}
{{- with .clientCertSecret }}{{ $_ := set $mounts "nomad-client" . }}{{ end -}}
{{- end -}}
{{- with include "nomad-exporter.webSecret" . }}{{ $_ := set $mounts "web" . }}{{ end -}}
{{- with .Values.web -}}
{{- with .certSecret }}{{ $_ := set $mounts "tls" . }}{{ end -}}
{{- with .healthcheck -}}
{{- if .user }}{{ $_ := set $mounts "healthcheck-password" (required "web.healthcheck.passwordSecret: the Secret with the password of web.healthcheck.user" .passwordSecret) }}{{ end -}}
{{- with .clientCertSecret }}{{ $_ := set $mounts "healthcheck-client" . }}{{ end -}}
{{- end -}}
{{- end -}}
{{- toJson $mounts -}}
{{- end -}}

{{- define "nomad-exporter.volumeMounts" -}}
{{- if include "nomad-exporter.secret" . }}
- name: token
  mountPath: /var/run/secrets/nomad
  readOnly: true
{{- end }}
{{- range $name, $_ := fromJson (include "nomad-exporter.mounts" .) }}
- name: {{ $name }}
  mountPath: /etc/nomad-exporter/{{ $name }}
  readOnly: true
{{- end }}
{{- with .Values.extraVolumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "nomad-exporter.volumes" -}}
{{- with include "nomad-exporter.secret" . }}
# The file is reloaded when it changes, without a restart.
- name: token
  projected:
    defaultMode: 288 # 0440 in decimal, because not every YAML parser reads octal numbers
    sources:
      - secret:
          name: {{ . }}
          items:
            - key: {{ $.Values.nomad.token.key }}
              path: token
{{- end }}
{{- range $name, $secret := fromJson (include "nomad-exporter.mounts" .) }}
- name: {{ $name }}
  secret:
    secretName: {{ $secret }}
    defaultMode: 288
{{- end }}
{{- with .Values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end -}}
