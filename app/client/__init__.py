"""The other end of the HTTP API: client, command line, reports. Knows no storage.

from espalier.app.client import Client
"""

from espalier.app.client.client import Client as Client
from espalier.app.client.client import ClientError as ClientError
