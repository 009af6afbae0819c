r"""A web page and a JSON API around a detector, on this machine.

    python -m gsr_tf.serve --saved_model=models/gsr_net
    curl --data-binary @photo.jpg 'http://127.0.0.1:8321/v1/segment?maps=none'

Drop a picture on the page: heat map, boundary and mask at any threshold, a mask or a report to keep. Pictures live in
memory while they are answered and are never stored; nothing is asked of other machines. A process of its own looks at
the pictures; it is replaced when it has grown, or when a picture was too much for it. /openapi.json describes the
API, /healthz and /metrics are for whoever looks after the server. Needs pip install 'gsr_tf[web]'.
"""

from __future__ import annotations

import contextlib
import ipaddress
import logging
import os
import re
import socket
import sys
from collections.abc import Iterator, Sequence
from functools import partial

from absl import flags

from gsr_tf import command
from gsr_tf.answers import memory
from gsr_tf.errors import UserError
from gsr_tf.inference import trained_methods
from gsr_tf.inference.device import DEVICE_HELP, DEVICES, PRECISION_HELP, PRECISIONS
from gsr_tf.inference.resolution import parse_scales
from gsr_tf.settings import ConfigError
from gsr_tf.web.limits import MEGA, Limits

PREFIX = re.compile(r"(/[^/]+)*")
DAY = 24 * 60 * 60  # seconds; waiting for a process overflows above 24 of them
# All flags but host and port: a Kubernetes service that is called gsr-tf gives containers a GSR_TF_PORT of its own.
VARIABLES = (
    *("max_megabytes", "max_megapixels", "max_decode_megabytes", "workers", "queue", "upload_seconds"),
    *("picture_seconds", "saved_model", "method", "scales", "device", "precision", "names", "path_prefix"),
)


def _define(values: flags.FlagValues) -> None:
    own, usual = {"flag_values": values}, Limits()

    def number(name: str, default: float, help_: str, least: float, most: float) -> None:
        flags.DEFINE(_Number(least, most), name, default, help_, values, flags.ArgumentSerializer())

    flags.DEFINE_string(
        "saved_model", None, "Folder that gsr_tf.export made, from a source you trust: a model is code. Without it, "
        "the included model.", **own,
    )  # fmt: skip
    flags.DEFINE_enum(
        "method", None, trained_methods.TRAINED, "Which method --saved_model has to be of; without it any will do.",
        **own,
    )  # fmt: skip
    flags.DEFINE_list("scales", None, "Factors of the size at which whole pictures are seen.", **own)
    flags.DEFINE_enum("device", "auto", DEVICES, DEVICE_HELP, **own)
    flags.DEFINE_enum("precision", "float32", PRECISIONS, PRECISION_HELP, **own)
    flags.DEFINE_string("host", "127.0.0.1", "Address to listen on; only this machine can reach the default.", **own)
    flags.DEFINE_integer("port", 8321, "Port to listen on; 0: any free one.", 0, 65535, **own)
    flags.DEFINE_list("names", [], "Host names under which it may be asked, beside its own; for proxies.", **own)
    flags.DEFINE_string("path_prefix", "", "Path under which a proxy passes requests on, as /gsr_tf.", **own)
    number("max_megabytes", usual.upload_bytes / MEGA, "Largest picture file.", 0.001, 100_000)
    number("max_megapixels", usual.pixels / MEGA, "Largest picture, decoded.", 0.001, 100_000)
    number("max_decode_megabytes", usual.decode_bytes / MEGA, "Memory that decoding a picture may take.", 1, 1_000_000)
    flags.DEFINE_integer(
        "workers", usual.workers, "Pictures at work at once, each in a process of its own that uses all cores.", 1,
        **own,
    )  # fmt: skip
    flags.DEFINE_integer("queue", usual.queue, "Requests that may wait beside those; 503 for more.", 0, **own)
    number("upload_seconds", usual.upload_seconds, "Time for an upload.", 0.1, DAY)
    number("picture_seconds", usual.picture_seconds, "Time for a picture at work; 504 for what takes longer.", 1, DAY)


class _Number(flags.FloatParser):
    """A number within bounds; absl's own lets nan through, which is neither below nor above any."""

    def is_outside_bounds(self, value: float) -> bool:
        """Whether it is not within them."""
        return not self.lower_bound <= value <= self.upper_bound


def _action(args: flags.FlagValues) -> None:
    try:
        _serve(args)
    except UserError as error:
        named = [name for name in VARIABLES if f"--{name}=" in str(error) and _is_as_environment_says(args[name])]
        if not named:
            raise
        said = ", ".join(f"{variable}={os.environ[variable]}" for variable in map(command.variable, named))
        raise ConfigError(f"{said} in the environment: {error}") from error


def _is_as_environment_says(flag: flags.Flag) -> bool:
    """Whether a flag has the value of its variable: then that set it, or the command line says the same."""
    text = os.environ.get(command.variable(flag.name))
    with contextlib.suppress(ValueError):  # no value of this flag: the command line has another one
        return bool(text) and flag.parser.parse(text) == flag.value
    return False


def _serve(args: flags.FlagValues) -> None:
    try:
        from gsr_tf.web import replacing, worker
        from gsr_tf.web.app import create_app
        from gsr_tf.web.monitoring import Metrics
        from gsr_tf.web.server import Server
        from gsr_tf.web.service import Service
    except ImportError as error:
        raise ConfigError(f"the web page needs more packages: pip install 'gsr_tf[web]' ({error})") from error
    scales = parse_scales(args.scales)
    if not PREFIX.fullmatch(args.path_prefix):
        raise ConfigError(f"--path_prefix={args.path_prefix}: expected a path without an end slash, as /gsr_tf")
    trained_methods.check(args.method, args.saved_model)
    load = partial(worker.load_detector, args.saved_model, scales, args.device, args.precision)
    limits = _limits(args)
    start, metrics = partial(worker.Worker, load, limits), Metrics()
    memory.keep_large_blocks_apart()
    # Taken before the model is loaded: a port that is not free is told at once, and early clients wait.
    with listen(args.host, args.port) as listener, log_to_console() as log, contextlib.ExitStack() as stack:
        log.info("loading the model ...")
        workers = [replacing.Replaced(start, metrics, number) for number in range(args.workers)]
        for one in workers:
            stack.callback(one.close)
        service = Service(workers, limits, metrics)
        app = create_app(service, [args.host, socket.gethostname(), *args.names], args.path_prefix)
        host, port = listener.getsockname()[:2]
        print(f"http://{f'[{host}]' if ':' in host else host}:{port}  (Ctrl-C stops)", flush=True)
        if not is_loopback(host):
            print(f"warning: --host={args.host}: whoever reaches this machine can use the server", file=sys.stderr)
        log.info("answering a first picture, to be quick from the second on ...")
        Server(app, service, log_level="warning").run(sockets=[listener])


def _limits(args: flags.FlagValues) -> Limits:
    return Limits(
        upload_bytes=int(args.max_megabytes * MEGA),
        pixels=int(args.max_megapixels * MEGA),
        decode_bytes=int(args.max_decode_megabytes * MEGA),
        workers=args.workers,
        queue=args.queue,
        upload_seconds=args.upload_seconds,
        picture_seconds=args.picture_seconds,
    )


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; ConfigError when the address or port cannot be had."""
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        return socket.create_server(address[:2], family=family)
    except OSError as error:
        raise ConfigError(
            f"--host={host} --port={port}: {error.strerror or error}; choose another (--port=0: any free one)"
        ) from error


@contextlib.contextmanager
def log_to_console() -> Iterator[logging.Logger]:
    """The server's log, on standard error as long as it is open."""
    log, handler = logging.getLogger("gsr_tf.web"), logging.StreamHandler()
    log.setLevel(logging.INFO)
    log.addHandler(handler)
    try:
        yield log
    finally:
        log.removeHandler(handler)


def is_loopback(host: str) -> bool:
    """Whether an address is reached from this machine alone."""
    with contextlib.suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return False


def main(argv: Sequence[str] | None = None) -> int:
    """The command line."""
    return command.main(_action, __doc__, _define, argv, variables=VARIABLES)


if __name__ == "__main__":
    sys.exit(main())
