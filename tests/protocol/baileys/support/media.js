// The sandbox's media over TLS. The libraries build `https` addresses only, and those for downloads often name WhatsApp's
// own host; the sandbox itself speaks HTTP. Here is an endpoint with a certificate of its own for both names, and what
// makes the libraries connect to it, whatever host they want: they check its certificate as they would any other.

import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { request } from 'node:http'
import { Agent, createServer } from 'node:https'
import { isIP } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect } from 'node:tls'
import { promisify } from 'node:util'

const HOST = '127.0.0.1'
/** For whom the certificate is: WhatsApp's media host, and the host by which clients reach the sandbox. */
const NAMES = `subjectAltName=DNS:mmg.whatsapp.net,IP:${HOST}`

export class Media {
  static async start(sandbox) {
    const folder = await mkdtemp(join(tmpdir(), 'waxwing-protocol-tls-'))
    const [key, certificate] = [join(folder, 'key.pem'), join(folder, 'certificate.pem')]
    const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes']
    const about = ['-days', '1', '-subj', '/CN=media of a test', '-addext', NAMES]
    await promisify(execFile)('openssl', ['req', '-x509', ...curve, ...about, '-keyout', key, '-out', certificate])
    const media = new Media(sandbox, await readFile(key), await readFile(certificate))
    await rm(folder, { recursive: true })
    await new Promise((resolve) => media.server.listen(0, HOST, resolve))
    return media
  }

  constructor(sandbox, key, certificate) {
    this.certificate = certificate
    /** What was asked for, and with which status it was answered. */
    this.answered = []
    this.server = createServer({ key, cert: certificate }, (incoming, outgoing) => {
      const { method, url, headers } = incoming
      const passed = request(sandbox.url + url, { method, headers }, (answer) => {
        this.answered.push([method, headers.host, answer.statusCode])
        outgoing.writeHead(answer.statusCode, answer.headers)
        answer.pipe(outgoing)
      })
      passed.on('error', () => outgoing.destroy())
      incoming.pipe(passed)
    })
  }

  /** What was answered since the last time. */
  taken() {
    return this.answered.splice(0)
  }

  #connect(wanted) {
    const { port } = this.server.address()
    return connect({ host: HOST, port, ca: this.certificate, servername: isIP(wanted) ? '' : wanted })
  }

  /** For Node's https and for axios. */
  get agent() {
    const agent = new Agent()
    agent.createConnection = ({ host }) => this.#connect(host)
    return agent
  }

  /** For `fetch`: Node does not export the class of its dispatchers, but has one of them. */
  get dispatcher() {
    const { constructor: Dispatcher } = globalThis[Symbol.for('undici.globalDispatcher.1')]
    return new Dispatcher({
      connect: ({ hostname }, done) => {
        const socket = this.#connect(hostname)
        socket.once('secureConnect', () => done(null, socket)).once('error', (error) => done(error, null))
      },
    })
  }

  async stop() {
    this.server.closeAllConnections()
    await new Promise((resolve) => this.server.close(resolve))
  }
}
