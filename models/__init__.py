"""What a network is: channel configs, coupling, surgery, cost. Knows torch and torchvision only; nothing of ours.

The names below are what a script may import from here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from espalier.models.lazily import face

if TYPE_CHECKING:
    from espalier.models.architectures import Architecture as Architecture
    from espalier.models.config import ChannelConfig as ChannelConfig
    from espalier.models.config import ChannelGroup as ChannelGroup
    from espalier.models.config import ChannelMask as ChannelMask
    from espalier.models.config import Cost as Cost
    from espalier.models.cost import receipt as receipt
    from espalier.models.errors import ModelError as ModelError
    from espalier.models.layers.base import Layer as Layer
    from espalier.models.network import Network as Network
    from espalier.models.network import build as build
    from espalier.models.network import dense as dense
    from espalier.models.surgery import permute as permute
    from espalier.models.surgery import prune as prune
    from espalier.models.surgery import silence as silence
    from espalier.models.tracing.trace import trace as trace

PUBLIC = {
    "Architecture": "architectures",
    "ChannelConfig": "config",
    "ChannelGroup": "config",
    "ChannelMask": "config",
    "Cost": "config",
    "Layer": "layers.base",
    "ModelError": "errors",
    "Network": "network",
    "build": "network",
    "dense": "network",
    "permute": "surgery",
    "prune": "surgery",
    "receipt": "cost",
    "silence": "surgery",
    "trace": "tracing.trace",
}

__getattr__ = face(__name__, PUBLIC)
