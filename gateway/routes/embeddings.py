"""POST /v1/embeddings."""

from gateway.forward import Forward
from shared.app import RawRoute
from shared.wire.embeddings import EmbeddingList, EmbeddingRequest

route = RawRoute(
    "/v1/embeddings",
    Forward("embeddings", needed="input"),
    summary="A vector for each text, to compare them by",
    tag="text",
    request=EmbeddingRequest,
    answer=EmbeddingList,
)
