// The whole product as a process on a sandbox network of the test: a session of ours next to clients of others.

import { readFile } from 'node:fs/promises'
import { join } from 'node:path'

import { Program } from './program.js'
import { until } from './waiting.js'

export class Waxwing {
  static async start(sandbox) {
    const flags = ['--sandbox', sandbox.url, '--sandbox-key-file', sandbox.keyFile]
    const program = await Program.start('up', flags)
    await program.printed(/Waxwing is ready/)
    const credentials = JSON.parse(await readFile(join(program.folder, 'credentials.json'), 'utf8'))
    return new Waxwing(program, credentials)
  }

  constructor(program, { base_url, account_id, api_key }) {
    Object.assign(this, { program, url: `${base_url}/api/v1`, account: account_id, key: api_key })
  }

  stop() {
    return this.program.stop()
  }

  async call(method, path, body) {
    const headers = { authorization: `Bearer ${this.key}`, 'content-type': 'application/json' }
    const answer = await fetch(this.url + path, { method, headers, body: body && JSON.stringify(body) })
    const value = await answer.json()
    if (answer.ok) return value
    // There is no code to scan yet, for example.
    if (answer.status === 409) return undefined
    throw new Error(`${method} ${path}: ${answer.status} ${JSON.stringify(value)}`)
  }

  /** A connected session of the phone; its id. */
  async session(phone) {
    const { id } = await this.call('POST', '/sessions', { name: phone.name })
    const { code } = await until('a code to scan', () => this.call('GET', `/sessions/${id}/qr`))
    await phone.scan(code)
    await until('a connected session', async () => (await this.call('GET', `/sessions/${id}`)).status === 'connected')
    return id
  }

  send(session, to, text) {
    return this.call('POST', '/messages', { session_id: session, to: to.number ?? to, type: 'text', text })
  }

  /** Waits until a message has this status. */
  status(id, status) {
    return until(`status ${status}`, async () => (await this.call('GET', `/messages/${id}`)).status === status)
  }

  /** Waits for an inbound message with this text. */
  received(session, text) {
    return until(`"${text}"`, async () => {
      const { data } = await this.call('GET', `/messages?session_id=${session}&direction=in`)
      return data.find((message) => message.text === text)
    })
  }
}
