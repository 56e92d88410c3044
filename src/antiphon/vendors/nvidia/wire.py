"""How NVIDIA's services are reached: in its cloud, or on a server of one's own.

https://docs.nvidia.com/nim/speech/latest and https://docs.api.nvidia.com/cloud-functions
"""

from collections.abc import Mapping

from ...services.grpc_client import GrpcClient
from ...services.keys import VendorKey

__all__ = ["CLOUD", "LINEAR_PCM", "RivaAccess"]

CLOUD = "https://grpc.nvcf.nvidia.com:443"
LINEAR_PCM = 1  # of the enumeration AudioEncoding


class RivaAccess:
    """The client and the metadata of a service.

    `functions` are the ids of models in NVIDIA's cloud; another model there is named by the id itself. A
    server of one's own needs no key.
    """

    def __init__(
        self, model: str, base_url: str, key: str | None, definition: str, functions: Mapping[str, str]
    ) -> None:
        self.key = VendorKey("nvidia", "NVIDIA_API_KEY" if base_url == CLOUD else None, key)
        self.client = GrpcClient("nvidia", base_url, definition, extra="nvidia", key_name=self.key.name)
        self.is_cloud = base_url == CLOUD
        self._function = functions.get(model, model) if self.is_cloud else ""

    def metadata(self) -> list[tuple[str, str]]:
        """Return what goes with each call."""
        key = self.key.value
        told = {"function-id": self._function, "authorization": f"Bearer {key}" if key else ""}
        return [(name, value) for name, value in told.items() if value]
