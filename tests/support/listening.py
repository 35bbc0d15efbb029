"""An application on a real socket, in a thread of this process."""

import threading
import time
from contextlib import contextmanager

import uvicorn


@contextmanager
def listening(app, protocol="auto", **options):
    """Serve on a free port of 127.0.0.1; gives the port."""
    server = uvicorn.Server(uvicorn.Config(app, port=0, http=protocol, log_level="warning", ws="none", **options))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            time.sleep(0.01)
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        thread.join()
