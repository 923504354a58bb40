"""The client that openapi-python-client generates: change a tunnel, follow the operation, read a problem.

Takes the service's address and a token.
"""

import sys
import uuid

from tunnelgate_client import AuthenticatedClient
from tunnelgate_client.api.operations import get_operation, list_operations, rollback_operation
from tunnelgate_client.api.tunnels import patch_tunnel
from tunnelgate_client.models import DryRun, Operation, OperationPage, Problem, Rollback, Status, TunnelPatch

BASE, TOKEN = sys.argv[1:]
PATH = ("vpc-03vihbk9", "vpngw-kfldykuz", "vpnx-branch01")


def main() -> None:
    with AuthenticatedClient(base_url=BASE, token=TOKEN, timeout=90) as client:
        body = TunnelPatch(peer_cidrs=["10.100.2.0/24"], pre_shared_key="generated-python")
        answer = patch_tunnel.sync_detailed(*PATH, client=client, body=body, idempotency_key=str(uuid.uuid4()))
        assert answer.status_code == 202, answer
        operation = answer.parsed
        assert isinstance(operation, Operation), operation
        assert operation.status in (Status.RUNNING, Status.SUCCEEDED), operation
        assert operation.tunnel.tunnel_id == PATH[2]
        assert "generated-python" not in answer.content.decode()
        assert answer.headers["location"] == f"/operations/{operation.id}"

        ended = get_operation.sync(operation.id, client=client, prefer="wait=55")
        assert isinstance(ended, Operation), ended
        assert ended.status is Status.SUCCEEDED, ended
        assert ended.verification is not None and ended.verification.result.value == "confirmed", ended
        assert ended.finished_at is not None and ended.finished_at >= ended.created_at

        page = list_operations.sync(client=client, status=Status.SUCCEEDED, limit=1)
        assert isinstance(page, OperationPage) and page.items[0].id == operation.id, page

        body = Rollback(pre_shared_key="not the key before")
        other = rollback_operation.sync(operation.id, client=client, body=body)
        assert isinstance(other, Problem) and other.errors[0].code == "other_key", other
        body = Rollback(pre_shared_key="set-when-it-was-made")
        back = rollback_operation.sync(operation.id, client=client, body=body, prefer="wait=55")
        assert isinstance(back, Operation) and back.status is Status.SUCCEEDED, back
        assert back.rollback_of == operation.id, back
        assert isinstance(rollback_operation.sync(back.id, client=client, dry_run=True), DryRun)

        refused = patch_tunnel.sync(*PATH, client=client, body=TunnelPatch(name="neither ranges nor policies"))
        assert isinstance(refused, Problem) and refused.code == "invalid_patch" and refused.errors, refused


main()
