"""The other end of the HTTP API: client, command line, tables, reports. Knows no storage."""
