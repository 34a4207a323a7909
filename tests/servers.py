"""A small HTTP server that behaves, or has one of the faults that connection churn finds. Tests run
it as a program: servers.py --port 0 --mode leak --port-file F. Not executable, so not a test."""

import argparse
import contextlib
import os
import select
import socket
import sys

BODY = b"x" * 4096
RESPONSE = b"HTTP/1.0 200 OK\r\nContent-Length: %d\r\n\r\n" % len(BODY) + BODY
END_OF_REQUEST = b"\r\n\r\n"
BACKLOG = 128

MODES = {
    "ok": "closes what it accepts",
    "leak": "keeps the descriptor of every connection that was reset",
    "stop-accepting": "stays alive after the first reset, but accepts nothing any more",
}


class Server:
    """One thread, one epoll: answers each request, and closes when its client has."""

    def __init__(self, listener, mode):
        self.listener, self.mode = listener, mode
        self.connections = {}  # descriptor: (socket, the request so far)
        self.leaked = []
        self.epoll = select.epoll()
        self.epoll.register(listener, select.EPOLLIN)
        listener.setblocking(False)

    def serve_forever(self):
        while True:
            for fd, _ in self.epoll.poll():
                if fd == self.listener.fileno():
                    self.accept()
                elif fd in self.connections:
                    self.serve(fd)

    def accept(self):
        with contextlib.suppress(BlockingIOError):
            while True:
                try:
                    connection, _ = self.listener.accept()
                except ConnectionAbortedError:
                    self.was_reset()
                    return
                connection.setblocking(False)
                self.connections[connection.fileno()] = (connection, bytearray())
                self.epoll.register(connection, select.EPOLLIN)

    def serve(self, fd):
        connection, request = self.connections[fd]
        try:
            piece = connection.recv(65536)
            request += piece
            if piece and END_OF_REQUEST in request:
                request.clear()
                connection.send(RESPONSE)  # fits into the send buffer, or the client does not read
        except BlockingIOError:
            return
        except ConnectionError:  # ECONNRESET, EPIPE
            self.forget(fd)
            if self.mode == "leak":
                self.leaked.append(connection)
            else:
                connection.close()
            self.was_reset()
            return
        if not piece:
            self.forget(fd)
            connection.close()

    def forget(self, fd):
        self.epoll.unregister(fd)
        del self.connections[fd]

    def was_reset(self):
        """Linux hands out a connection that was reset in the accept queue: ECONNABORTED is the
        answer of other systems."""
        if self.mode == "stop-accepting":
            with contextlib.suppress(FileNotFoundError):
                self.epoll.unregister(self.listener)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog="Modes: " + "; ".join(f"{name}: {what}" for name, what in MODES.items()) + ".")
    parser.add_argument("--port", type=int, default=0, help="0: the kernel picks one")
    parser.add_argument("--mode", choices=MODES, default="ok")
    parser.add_argument("--port-file", help="the port is written to it, and to stdout")
    arguments = parser.parse_args()
    with socket.create_server(("127.0.0.1", arguments.port), backlog=BACKLOG) as listener:
        port = listener.getsockname()[1]
        if arguments.port_file:
            # By its final name only when it is whole: whoever waits for the file may read it.
            unfinished = f"{arguments.port_file}.{os.getpid()}"
            with open(unfinished, "w", encoding="ascii") as file:
                print(port, file=file)
            os.rename(unfinished, arguments.port_file)
        print(port, flush=True)
        Server(listener, arguments.mode).serve_forever()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        sys.exit(main())
