"""The app: everything the portal is about."""
