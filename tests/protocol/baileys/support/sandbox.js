// A sandbox network as a process, and its control API. The requests are signed as crates/signed-http says.

import { createHash, createHmac, randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'

import { Program } from './program.js'
import { until } from './waiting.js'

/** A refusal of the control API. */
export class Refused extends Error {
  constructor(status, body) {
    super(`${status} ${JSON.stringify(body)}`)
    Object.assign(this, { status, code: body?.code, pointer: body?.pointer })
  }
}

/** Baileys 6 loses a stanza that comes before it has derived its keys, which takes it long on a busy machine. */
const FIRST_STANZA_DELAY_MS = 150

export class Sandbox {
  static async start() {
    const program = await Program.start('sandbox', ['--first-stanza-delay-ms', `${FIRST_STANZA_DELAY_MS}`])
    const [, url] = await program.printed(/sandbox network: (http:\S+)/)
    const keyFile = join(program.folder, 'internal.key')
    const key = Buffer.from((await readFile(keyFile, 'utf8')).trim(), 'hex')
    return new Sandbox(program, url, key, keyFile)
  }

  constructor(program, url, key, keyFile) {
    Object.assign(this, { program, url, key, keyFile })
  }

  stop() {
    return this.program.stop()
  }

  /** The network of an account, made when it is first asked for. */
  async network(account) {
    const network = new Network(this, account)
    return Object.assign(network, await network.call('GET', ''))
  }

  async call(method, path, body) {
    const bytes = body === undefined ? '' : JSON.stringify(body)
    const [timestamp, nonce] = [`${Math.floor(Date.now() / 1_000)}`, randomBytes(16).toString('hex')]
    const digest = createHash('sha256').update(bytes).digest('hex')
    const signed = [method, path, timestamp, nonce, digest].join('\n')
    const headers = {
      'x-waxwing-timestamp': timestamp,
      'x-waxwing-nonce': nonce,
      'x-waxwing-signature': createHmac('sha256', this.key).update(signed).digest('hex'),
    }
    if (bytes) headers['content-type'] = 'application/json'
    const answer = await fetch(this.url + path, { method, headers, body: bytes || undefined })
    const text = await answer.text()
    const value = text ? JSON.parse(text) : undefined
    if (!answer.ok) throw new Refused(answer.status, value)
    return value
  }
}

class Network {
  constructor(sandbox, account) {
    Object.assign(this, { sandbox, account })
  }

  call(method, path, body) {
    return this.sandbox.call(method, `/internal/networks/${this.account}${path}`, body)
  }

  /** Where a client connects. */
  get socketUrl() {
    return this.sandbox.url.replace('http', 'ws') + this.ws_path
  }

  /** The root of the certificates, 32 bytes. */
  get root() {
    return Buffer.from(this.root_key, 'base64')
  }

  async phone(number, behaviour = {}) {
    const phone = new Phone(this, await this.call('POST', '/phones', { number, name: `Phone ${number}` }))
    if (Object.keys(behaviour).length > 0) await phone.behave(behaviour)
    return phone
  }

  fault(kind, more = {}) {
    return this.call('POST', '/faults', { kind, ...more })
  }

  async faults() {
    return (await this.call('GET', '/faults')).data
  }

  async ledger() {
    return (await this.call('GET', '/ledger?limit=200')).data
  }

  /** Waits until the ledger has an entry like this. */
  recorded(what, fits) {
    return until(what, async () => (await this.ledger()).find(fits))
  }
}

/** A simulated phone. */
class Phone {
  constructor(network, info) {
    Object.assign(this, { network, ...info })
  }

  call(method, path, body) {
    return this.network.call(method, `/phones/${this.number.slice(1)}${path}`, body)
  }

  behave(behaviour) {
    return this.call('PUT', '/behaviour', behaviour)
  }

  scan(qr) {
    return this.call('POST', '/scan', { qr })
  }

  enterCode(code) {
    return this.call('POST', '/enter-code', { code })
  }

  /** Sends a text, or whatever `content` says; gives the message's id. */
  async send(to, content) {
    const message = typeof content === 'string' ? { type: 'text', text: content } : content
    return (await this.call('POST', '/messages', { to: to.number ?? to, ...message })).whatsapp_id
  }

  async inbox() {
    return (await this.call('GET', '/inbox?limit=200')).data
  }

  /** Waits until the phone has decrypted a message like this. */
  received(what, fits) {
    return until(what, async () => (await this.inbox()).find(fits))
  }
}
