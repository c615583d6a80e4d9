"""The variables of CI systems, as their documentation has them."""

AFTER = "9fc1ad6ebf12462f3f9773003e26b4c6f54a772e"
BEFORE = "e3320539a4c03ccfda992641646deb67d8bf98f3"

GITHUB = {
    "GITHUB_ACTIONS": "true",
    "GITHUB_ACTOR": "octocat",
    "GITHUB_BASE_REF": "",
    "GITHUB_EVENT_NAME": "push",
    "GITHUB_HEAD_REF": "",
    "GITHUB_REF": "refs/heads/main",
    "GITHUB_REF_NAME": "main",
    "GITHUB_REF_TYPE": "branch",
    "GITHUB_REPOSITORY": "octocat/hello-world",
    "GITHUB_RUN_ATTEMPT": "2",
    "GITHUB_RUN_ID": "1658821493",
    "GITHUB_SERVER_URL": "https://github.com",
    "GITHUB_SHA": AFTER,
}

GITLAB = {
    "CI_COMMIT_AUTHOR": "Mona Lisa <mona@example.com>",
    "CI_COMMIT_BEFORE_SHA": "0" * 40,
    "CI_COMMIT_MESSAGE": "fix\n",
    "CI_COMMIT_REF_NAME": "main",
    "CI_COMMIT_SHA": AFTER,
    "CI_PIPELINE_ID": "1234",
    "CI_PIPELINE_SOURCE": "push",
    "CI_PIPELINE_URL": "https://gitlab.com/octocat/hello-world/-/pipelines/1234",
    "CI_PROJECT_PATH": "octocat/hello-world",
    "GITLAB_CI": "true",
    "GITLAB_USER_LOGIN": "octocat",
}

JENKINS = {
    "BUILD_NUMBER": "1043",
    "BUILD_URL": "https://ci.example.com/job/app/1043/",
    "GIT_BRANCH": "origin/main",
    "GIT_COMMIT": AFTER,
    "GIT_PREVIOUS_COMMIT": BEFORE,
    "GIT_URL": "git@github.com:octocat/hello-world.git",
    "JENKINS_URL": "https://ci.example.com/",
    "JOB_NAME": "app",
}
