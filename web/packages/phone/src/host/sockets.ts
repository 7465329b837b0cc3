/** The host's WebSockets, by the connection identifiers of the core. */

/** What a socket tells. `closed` comes at most once, and never after `close`. */
export interface SocketEvents {
  opened(connection: string): void;
  text(connection: string, message: string): void;
  binary(connection: string, message: Uint8Array): void;
  closed(connection: string, reason: string): void;
}

/** The part of `WebSocket` that is used. */
export type Socket = Pick<
  WebSocket,
  'onopen' | 'onmessage' | 'onclose' | 'onerror' | 'binaryType' | 'readyState' | 'send' | 'close'
>;

const OPEN = 1;

export class Sockets {
  readonly #sockets = new Map<string, Socket>();

  constructor(
    private readonly events: SocketEvents,
    private readonly connect: (url: string) => Socket,
  ) {}

  /** Opens a connection. A URL that the browser refuses at once counts as one that failed. */
  open(connection: string, url: string): void {
    let socket: Socket;
    try {
      socket = this.connect(url);
    } catch (error) {
      this.events.closed(connection, `refused by the browser: ${String(error)}`);
      return;
    }
    socket.binaryType = 'arraybuffer';
    socket.onopen = () => this.events.opened(connection);
    socket.onmessage = (event) => this.#received(connection, event.data as string | ArrayBuffer);
    socket.onclose = (event) => {
      this.#sockets.delete(connection);
      this.events.closed(connection, `${event.code} ${event.reason}`.trim());
    };
    this.#sockets.set(connection, socket);
  }

  /** Sends one message; one for a connection that is not open any more is dropped. */
  send(connection: string, message: string | Uint8Array): void {
    const socket = this.#sockets.get(connection);
    if (socket?.readyState !== OPEN) return;
    socket.send(typeof message === 'string' ? message : new Uint8Array(message));
  }

  /** Closes a connection; nothing more is heard of it. */
  close(connection: string): void {
    const socket = this.#sockets.get(connection);
    if (socket === undefined) return;
    this.#sockets.delete(connection);
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close(1000);
  }

  closeAll(): void {
    for (const connection of [...this.#sockets.keys()]) this.close(connection);
  }

  #received(connection: string, data: string | ArrayBuffer): void {
    if (typeof data === 'string') this.events.text(connection, data);
    else this.events.binary(connection, new Uint8Array(data));
  }
}
