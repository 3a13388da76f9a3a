"""The talk with the authorization server."""
