module runner

go 1.21

require (
	github.com/drone/envsubst v1.0.3
	gopkg.in/yaml.v2 v2.4.0
)
