module drone

go 1.24.0

require (
	github.com/drone/drone-go v1.7.1
	golang.org/x/oauth2 v0.34.0
)
