// A Baileys client with its events in a log, and its credentials as text between two connections.

import './strict.js'

import { Log } from './waiting.js'

/** The libraries by generation. Both are loaded after `strict.js`. */
const libraries = { 7: await import('baileys'), 6: await import('baileys6') }

const silent = { level: 'silent', child: () => silent }
for (const level of ['trace', 'debug', 'info', 'warn', 'error', 'fatal']) silent[level] = () => {}

/** What WhatsApp's servers say in place of an error: log in now. */
const RESTART_REQUIRED = 515

/** The real root of WhatsApp, which the libraries trust from the start. */
const WHATSAPP_ROOT = libraries[7].WA_CERT_DETAILS.PUBLIC_KEY

export class Client {
  /** A new client, linked to the phone by its QR code, logged in, open, and shown to others as available. */
  static async paired(network, phone, generation = 7, options = {}) {
    const client = new Client(network, generation, options)
    client.connect()
    await phone.scan(await client.qr())
    await client.restarted()
    await client.opened()
    return client
  }

  constructor(network, generation = 7, { root = network.root, media } = {}) {
    Object.assign(this, { network, generation, root, media, library: libraries[generation] })
    this.log = new Log()
    /** Credentials and keys, as an application keeps them. */
    this.stored = { creds: this.#text(this.library.initAuthCreds()), keys: new Map() }
    /** What the application sent: libraries ask for it when a device asks again. */
    this.sent = new Map()
  }

  #text(value) {
    return JSON.stringify(value, this.library.BufferJSON.replacer)
  }

  #value(text) {
    return JSON.parse(text, this.library.BufferJSON.reviver)
  }

  #keys() {
    const { keys } = this.stored
    return {
      get: async (type, ids) => {
        const found = {}
        for (const id of ids) {
          const text = keys.get(`${type}/${id}`)
          if (text === undefined) continue
          const value = this.#value(text)
          const shares = type === 'app-state-sync-key'
          found[id] = shares ? this.library.proto.Message.AppStateSyncKeyData.fromObject(value) : value
        }
        return found
      },
      set: async (data) => {
        for (const [type, values] of Object.entries(data)) {
          for (const [id, value] of Object.entries(values)) {
            if (value) keys.set(`${type}/${id}`, this.#text(value))
            else keys.delete(`${type}/${id}`)
          }
        }
      },
    }
  }

  /** Opens a connection with what is stored. */
  connect() {
    // What a strict client trusts. The libraries have one such place for all connections of a process, and read it while
    // they connect.
    this.library.WA_CERT_DETAILS.PUBLIC_KEY = this.root ?? WHATSAPP_ROOT
    const creds = this.#value(this.stored.creds)
    const socket = this.library.default({
      auth: { creds, keys: this.#keys() },
      waWebSocketUrl: this.network.socketUrl,
      logger: silent,
      retryRequestDelayMs: 10,
      // Version 6 knows no history inside of a stanza: it would ask WhatsApp's own servers for it.
      shouldSyncHistoryMessage: () => this.generation > 6,
      getMessage: async ({ id }) => this.sent.get(id),
      // For uploads.
      fetchAgent: this.media?.agent,
    })
    this.socket = socket
    const keep = () => (this.stored.creds = this.#text(creds))
    socket.ev.process((events) => {
      if (events['creds.update']) {
        Object.assign(creds, events['creds.update'])
        keep()
      }
      for (const [kind, value] of Object.entries(events)) {
        // Some events are lists, of which each member is an event for us.
        if (kind === 'messages.upsert') value.messages.forEach((one) => this.#message({ ...one, how: value.type }))
        else if (Array.isArray(value)) value.forEach((one) => this.log.add(kind, one))
        else this.log.add(kind, value)
      }
    })
    for (const tag of ['ack', 'receipt', 'notification', 'ib', 'message']) {
      socket.ws.on(`CB:${tag}`, (stanza) => this.log.add(`<${tag}>`, stanza))
    }
  }

  /** Whom the network says this client is. `socket.user` is a copy from before the login. */
  get me() {
    return this.socket.authState.creds.me
  }

  /** While a client is new, its library merges a message with the steps that follow it. */
  #message(message) {
    this.log.add('message', message)
    const { key, status } = message
    if (status) this.log.add('messages.update', { key, update: { status } })
  }

  qr() {
    return this.log.take('connection.update', ({ qr }) => qr, 'QR code')
  }

  /** Waits until the client is logged in and has what waited for it. */
  async opened() {
    await this.log.take('connection.update', ({ connection }) => connection === 'open', 'open connection')
    const done = ({ receivedPendingNotifications }) => receivedPendingNotifications
    await this.log.take('connection.update', done, 'end of the queue')
  }

  /** A code to type into the phone. The library does not wait until the network has taken its request. */
  async pairingCode(number) {
    const taken = new Promise((resolve) => this.socket.ws.once('CB:iq,,link_code_companion_reg', resolve))
    const code = await this.socket.requestPairingCode(number.slice(1))
    await taken
    return code
  }

  /** Waits for the end of the connection, and gives its error. */
  closed() {
    const end = ({ connection, lastDisconnect }) => connection === 'close' && lastDisconnect.error
    return this.log.take('connection.update', end, 'end of the connection')
  }

  /** After pairing the network closes the connection; the client comes back to log in. */
  async restarted() {
    const error = await this.closed()
    const status = error?.output?.statusCode
    if (status !== RESTART_REQUIRED) throw new Error(`closed with ${status} in place of 515: ${error}`)
    this.connect()
  }

  /** Sends, and waits for the network's acknowledgement. Gives the message's id. */
  async send(to, content, options) {
    const message = await this.socket.sendMessage(jid(to), content, options)
    this.sent.set(message.key.id, message.message)
    const ack = await this.acknowledgement(message.key.id)
    if (ack.attrs.error) throw new Error(`refused with ${ack.attrs.error}`)
    return message.key.id
  }

  acknowledgement(id) {
    return this.log.take('<ack>', (ack) => ack.attrs.class === 'message' && ack.attrs.id === id && ack, 'acknowledgement')
  }

  /** A receipt for this message as it came over the socket; `''` is "delivered". */
  receipt(id, type = '') {
    const fits = ({ attrs, content }) =>
      (attrs.type ?? '') === type && (attrs.id === id || this.#items(content).includes(id))
    return this.log.take('<receipt>', (stanza) => fits(stanza) && stanza, `receipt of type "${type}"`)
  }

  #items(content) {
    const list = Array.isArray(content) ? content.find(({ tag }) => tag === 'list') : undefined
    return list ? list.content.map(({ attrs }) => attrs.id) : []
  }

  /** The next message that fits, decrypted. */
  message(what, fits) {
    return this.log.take('message', (message) => message.message && fits(message) && message, what)
  }

  /** The next text that somebody else wrote. */
  text(expected) {
    return this.message(`text "${expected}"`, (message) => text(message.message) === expected && !message.key.fromMe)
  }

  /** Waits until the library's own events say that a message is this far. */
  step(id, status) {
    const fits = ({ key, update }) => key.id === id && update.status === status
    return this.log.take('messages.update', fits, `status ${status}`)
  }

  /** The next message with a picture, complete with what is needed to download it. */
  picture(id) {
    return this.message('picture', ({ key, message }) => key.id === id && message.imageMessage)
  }

  /** Fetches and decrypts the file of a message; a part of it where `part` says `startByte` and `endByte`. */
  download(message, part = {}) {
    const { agent, dispatcher } = this.media
    // Version 7 takes the one, version 6 the other.
    const options = this.generation === 7 ? { dispatcher } : { httpsAgent: agent }
    return this.library.downloadMediaMessage(message, 'buffer', { ...part, options })
  }

  async disconnect() {
    await this.socket?.end(undefined)
  }
}

/** The address of a phone, or what is an address already. */
export function jid(to) {
  return to.jid ?? to
}

export function text(message) {
  return message?.conversation || message?.extendedTextMessage?.text || undefined
}
