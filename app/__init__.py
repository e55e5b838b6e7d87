"""How Espalier is reached and run: HTTP, command line, runner, executors. Here, and only here, it is put together."""
