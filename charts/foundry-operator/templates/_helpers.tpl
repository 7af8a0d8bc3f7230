{{- define "foundry-operator.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 52 | trimSuffix "-" -}}
{{- else if contains .Chart.Name .Release.Name -}}
{{- .Release.Name | trunc 52 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name .Chart.Name | trunc 52 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "foundry-operator.selector" -}}
app.kubernetes.io/name: foundry-operator
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "foundry-operator.labels" -}}
{{ include "foundry-operator.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name (.Chart.Version | replace "+" "_") }}
{{- end -}}

{{- define "foundry-operator.serviceAccount" -}}
{{- .Values.serviceAccount.name | default (include "foundry-operator.fullname" .) -}}
{{- end -}}

{{- define "foundry-operator.subjects" -}}
subjects:
  - kind: ServiceAccount
    name: {{ include "foundry-operator.serviceAccount" . }}
    namespace: {{ .Release.Namespace }}
{{- end -}}

{{- define "foundry-operator.secretRole" -}}
{{- include "foundry-operator.fullname" . }}-secrets
{{- end -}}

{{- define "foundry-operator.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}
{{- end -}}

{{- /* What the pods of the operator and of the test may do on a node: nothing. */ -}}
{{- define "foundry-operator.podSecurityContext" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{- define "foundry-operator.securityContext" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end -}}

{{- /* What the operator may do with objects, in the cluster or in each namespace that it serves. */ -}}
{{- define "foundry-operator.rules" -}}
# Watch the three kinds; patch them only for the finalizer.
- apiGroups: [foundryoperator.dev]
  resources: [foundryhubs, foundryprojects, foundryconnections]
  verbs: [get, list, watch, patch]
- apiGroups: [foundryoperator.dev]
  resources: [foundryhubs/status, foundryprojects/status, foundryconnections/status]
  verbs: [patch]
{{- if eq .Values.secrets.access "cluster" }}
{{ include "foundry-operator.secretRules" . }}
{{- end }}
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create, patch]
{{- end -}}

{{- define "foundry-operator.secretRules" -}}
# Secrets are watched without their data, to notice a rotation, and read one by one when a connection is written.
- apiGroups: [""]
  resources: [secrets]
  verbs: [get, list, watch]
{{- end -}}
