"""The ground-truth server: speaks Ollama, paces tokens by a schedule, and logs the true send time of each."""

from harness.servers.truth.handle import TruthServer
from harness.servers.truth.log import TrueRequest
from harness.servers.truth.spec import Behaviour, DeviceSpec, Fault, ModelSpec, Timing, TruthConfig

__all__ = ["Behaviour", "DeviceSpec", "Fault", "ModelSpec", "Timing", "TrueRequest", "TruthConfig", "TruthServer"]
