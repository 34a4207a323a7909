"""A small HTTP server that behaves, or has one of the faults that connection churn finds. Tests run
it as a program: `servers.py --mode leak`; its first line is the address, as
`ringchurn drive` takes it. Not executable, so not a test."""

import argparse
import contextlib
import errno
import select
import socket
import sys

BODY_BYTES = 4096
END_OF_REQUEST = b"\r\n\r\n"
# The client's last request, behind which the server closes (RFC 9112, 9.6).
CLOSE = b"\r\nConnection: close\r\n"
# A client that closes without waiting fills a queue: as much as net.core.somaxconn allows.
BACKLOG = 4096

MODES = {
    "ok": "closes what it accepts",
    "leak": "keeps the descriptor of every connection that was reset",
    "stop-accepting": "stays alive after the first reset, but accepts nothing any more",
}


def response(body_bytes):
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % body_bytes + b"x" * body_bytes


class Server:
    """One thread, one epoll: answers each request, ends its side if it was the last, and closes
    when the client has ended its own."""

    def __init__(self, listener, arguments, peers):
        self.listener, self.mode, self.peers = listener, arguments.mode, peers
        self.response = response(arguments.body)
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
                    connection, peer = self.listener.accept()
                except ConnectionAbortedError:
                    self.was_reset()
                    return
                if self.peers:
                    print(peer[0] if peer else "", file=self.peers, flush=True)
                connection.setblocking(False)
                self.connections[connection.fileno()] = (connection, bytearray())
                self.epoll.register(connection, select.EPOLLIN)

    def serve(self, fd):
        connection, request = self.connections[fd]
        try:
            piece = connection.recv(65536)
            request += piece
            if piece and END_OF_REQUEST in request:
                is_last = CLOSE in request
                request.clear()
                connection.send(self.response)  # fits into the send buffer, or is not read
                if is_last:
                    self.end(connection)
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

    def end(self, connection):
        try:
            connection.shutdown(socket.SHUT_WR)
        except OSError as error:
            if error.errno != errno.ENOTCONN:  # reset meanwhile: the next recv tells
                raise

    def forget(self, fd):
        self.epoll.unregister(fd)
        del self.connections[fd]

    def was_reset(self):
        """Linux hands out a connection that was reset in the accept queue: ECONNABORTED is the
        answer of other systems."""
        if self.mode == "stop-accepting":
            with contextlib.suppress(FileNotFoundError):
                self.epoll.unregister(self.listener)


def listen(address):
    """A listener at HOST (a port that the kernel picks), unix:PATH or unix:@NAME."""
    if not address.startswith("unix:"):
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        return socket.create_server((address, 0), family=family, backlog=BACKLOG)
    listener = socket.socket(socket.AF_UNIX)
    name = address.removeprefix("unix:")
    listener.bind("\0" + name[1:] if name.startswith("@") else name)
    listener.listen(BACKLOG)
    return listener


def target_of(listener, address):
    """The listener as `ringchurn drive` takes it."""
    if listener.family == socket.AF_UNIX:
        return address
    host = f"[{address}]" if listener.family == socket.AF_INET6 else address
    return f"{host}:{listener.getsockname()[1]}"


def main():
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog="Modes: " + "; ".join(f"{name}: {what}" for name, what in MODES.items()) + ".")
    parser.add_argument("--listen", default="127.0.0.1", help="HOST, unix:PATH or unix:@NAME")
    parser.add_argument("--mode", choices=MODES, default="ok")
    parser.add_argument("--body", type=int, default=BODY_BYTES, help="bytes of each response")
    parser.add_argument("--peers-file", help="the address of each client is written to it")
    arguments = parser.parse_args()
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(listen(arguments.listen))
        peers = arguments.peers_file and stack.enter_context(open(arguments.peers_file, "w",
                                                                  encoding="ascii"))
        print(target_of(listener, arguments.listen), flush=True)
        Server(listener, arguments, peers).serve_forever()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        sys.exit(main())
