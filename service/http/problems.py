"""The one table from exception to status and code."""

from dataclasses import dataclass

from adapters import errors as domain
from service import errors

CLIENT_GONE_STATUS = 499  # nginx's number; nobody is left to read it


@dataclass(frozen=True)
class Problem:
    """What a client sees of one kind of error; `code` is stable, `title` is for people."""

    status: int
    code: str
    title: str


PROBLEMS: dict[type[BaseException], Problem] = {
    errors.RequestError: Problem(400, "bad_request", "The request cannot be understood"),
    errors.BadQuery: Problem(400, "bad_query", "A query parameter is wrong"),
    errors.BadBody: Problem(400, "bad_body", "The body is malformed"),
    errors.NoPicture: Problem(400, "no_picture", "There is no picture in the request"),
    domain.InvalidName: Problem(400, "invalid_name", "The name is not allowed"),
    domain.ConfigError: Problem(400, "bad_option", "An option cannot be used"),
    errors.Unauthenticated: Problem(401, "unauthenticated", "A valid key is needed"),
    errors.NotAllowed: Problem(403, "not_allowed", "The key is not for that"),
    domain.TaskNotFound: Problem(404, "task_not_found", "There is no such task"),
    domain.VersionNotFound: Problem(404, "version_not_found", "The task has no such version"),
    domain.LabelNotFound: Problem(404, "label_not_found", "The task has no such label"),
    errors.AnswerNotKnown: Problem(404, "answer_not_known", "No such answer is remembered"),
    errors.UnreadMethod: Problem(405, "method_not_allowed", "Method Not Allowed"),
    errors.HeadTooSlow: Problem(408, "head_too_slow", "The head did not arrive in time"),
    errors.UploadTooSlow: Problem(408, "upload_too_slow", "The body did not arrive in time"),
    domain.StoreConflict: Problem(409, "store_conflict", "The state of the store forbids it"),
    errors.AnswerAmbiguous: Problem(409, "answer_ambiguous", "Several requests had that id"),
    domain.ClassesDiffer: Problem(409, "classes_differ", "The label names a version with other classes"),
    domain.BackboneMismatch: Problem(409, "backbone_mismatch", "The adapter belongs to another backbone"),
    errors.RequestTooLarge: Problem(413, "request_too_large", "The request is over a limit"),
    domain.PictureTooLarge: Problem(413, "picture_too_large", "The picture is too large"),
    errors.UrlTooLong: Problem(414, "url_too_long", "The URL is too long"),
    errors.UnreadMediaType: Problem(415, "media_type", "The content type is not read"),
    domain.PictureFormat: Problem(415, "picture_format", "The picture format is not read"),
    domain.PictureDamaged: Problem(422, "picture_damaged", "The picture does not decode"),
    domain.PictureError: Problem(422, "picture_unusable", "The picture cannot be used"),
    domain.ClassNotFound: Problem(422, "class_not_found", "The version has no such class"),
    domain.ArtifactError: Problem(422, "artifact_unusable", "The adapter cannot be used"),
    domain.ArtifactDamaged: Problem(422, "artifact_damaged", "The adapter is damaged"),
    domain.ArtifactFormat: Problem(422, "artifact_format", "The adapter's format is not read"),
    domain.ArtifactUnsigned: Problem(422, "artifact_unsigned", "The adapter is not signed by a trusted key"),
    errors.Overloaded: Problem(429, "overloaded", "Too much is waiting"),
    errors.KeyOverLimit: Problem(429, "key_over_limit", "The key is over its limit"),
    errors.HeadTooLarge: Problem(431, "head_too_large", "The head is over a limit"),
    errors.ClientGone: Problem(CLIENT_GONE_STATUS, "client_gone", "The client closed the connection"),
    errors.UnreadTransferCoding: Problem(501, "transfer_coding", "The transfer coding is not read"),
    errors.ServiceError: Problem(503, "unavailable", "The service cannot answer now"),
    errors.ReplicaLost: Problem(503, "replica_lost", "The replica with the request ended"),
    errors.TooManyConnections: Problem(503, "too_many_connections", "All connections are in use"),
    errors.KeyFileUnusable: Problem(503, "keys_unusable", "The keys cannot be read"),
    errors.WorkersFailed: Problem(503, "workers_failed", "The processes that should serve cannot"),
    errors.CannotListen: Problem(503, "cannot_listen", "The service cannot listen"),
    errors.NotReady: Problem(503, "not_ready", "The service does not answer now"),
    errors.Starting: Problem(503, "starting", "The service is starting"),
    errors.Draining: Problem(503, "draining", "The service is ending"),
    errors.AdapterUnavailable: Problem(503, "adapter_unavailable", "The adapter was refused"),
    errors.AdapterLoading: Problem(503, "adapter_loading", "The adapter is still being loaded"),
    errors.InferenceFailed: Problem(503, "inference_failed", "The forward pass gave no answer"),
    errors.OutputNotFinite: Problem(503, "output_not_finite", "The adapter's answer is not a number"),
    errors.OutOfDeviceMemory: Problem(503, "out_of_memory", "The device is out of memory"),
    errors.DeviceLost: Problem(503, "device_lost", "The device failed"),
    domain.ExportFailed: Problem(503, "export_failed", "The exported model is wrong"),
    domain.BankFull: Problem(503, "bank_full", "There is no free slot"),
    domain.BackboneError: Problem(503, "backbone_unavailable", "The backbone cannot be used"),
    domain.UnsupportedBackbone: Problem(503, "backbone_unsupported", "The backbone is not supported"),
    domain.BackboneWeights: Problem(503, "backbone_weights", "The backbone's weights cannot be used"),
    domain.StoreError: Problem(503, "store_unavailable", "The store cannot be used"),
    domain.StoreNotFound: Problem(503, "store_not_found", "The store is not there"),
    domain.StoreReadOnly: Problem(409, "store_read_only", "The service may not change the store"),
    domain.LabelMoved: Problem(412, "label_moved", "The label is not what it was thought to be"),
    domain.ArtifactTooLarge: Problem(413, "artifact_too_large", "The adapter is too large"),
    errors.StoreSlow: Problem(503, "store_slow", "The store takes too long"),
    errors.UploadConflict: Problem(409, "upload_conflict", "The part is not the next one of the upload"),
    errors.DeadlineExceeded: Problem(504, "deadline_exceeded", "The answer was not ready in time"),
    errors.UnreadHttpVersion: Problem(505, "http_version", "The version of HTTP is not spoken"),
}
INTERNAL = Problem(500, "internal", "The service has a fault of its own")


def problem_of(error: BaseException) -> Problem:
    """The table's entry for an error; a refused picture counts as what is wrong with it."""
    if isinstance(error, errors.PictureRefused):
        return problem_of(error.cause)
    return next((PROBLEMS[kind] for kind in type(error).__mro__ if kind in PROBLEMS), INTERNAL)


def code_of(error: BaseException) -> str:
    """The code of an error."""
    return problem_of(error).code
