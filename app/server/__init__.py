"""The HTTP side: routes, errors, authentication, and starting the processes."""
