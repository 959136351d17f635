"""The local AWS: MiniStack with Cognito's real manners, and faults on request. Never in a production image.

`server` the process · `environment` what it and the Lambdas see · `gateway` the door · `calls` what a request asks ·
`control` faults, log, quotas · `state` saving · `cognito` and its `cognito_…` the rules, each with its section of
`cognito_facts.md` · `token_endpoint` and `trigger` tokens · `hosted_ui` where people sign in · `appsync` and its
`appsync_…` the API.

Nothing of MiniStack is edited: rules are put in from outside when the process starts. Control paths, with the header
`X-Sandbox-Token` from `<state folder>/control-token`: GET, POST, DELETE `/_sandbox/faults`; GET, DELETE
`/_sandbox/calls`; GET, POST `/_sandbox/settings`.
"""
