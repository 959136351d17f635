"""The local AWS: MiniStack with Cognito's real manners, and faults on request. Never in a production image."""
