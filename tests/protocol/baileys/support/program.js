// The product as a process, in a folder of its own.

import { spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { Log } from './waiting.js'

const program = process.env.WAXWING_BIN
if (!program) {
  throw new Error('WAXWING_BIN names no waxwing program; run `cargo xtask test protocol`, which builds one and names it')
}

export class Program {
  static async start(command, flags = []) {
    const folder = await mkdtemp(join(tmpdir(), 'waxwing-protocol-'))
    const child = spawn(program, [command, '--listen', '127.0.0.1:0', '--data-dir', folder, ...flags], {
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    const started = new Program(child, folder)
    child.stdout.setEncoding('utf8').on('data', (text) => started.#said(text))
    // Shown only when it ends by itself.
    child.stderr.setEncoding('utf8').on('data', (text) => (started.errors = (started.errors + text).slice(-4_000)))
    child.on('exit', (code) => started.log.add('exit', { code }))
    return started
  }

  constructor(child, folder) {
    this.child = child
    this.folder = folder
    this.log = new Log()
    this.errors = ''
    this.text = ''
  }

  #said(text) {
    this.text += text
    this.log.add('output', this.text)
  }

  /** Waits until it has printed this, and gives the match. */
  async printed(pattern) {
    const exit = this.log.take('exit', (exit) => exit, 'exit').then(
      () => Promise.reject(new Error(`${program} ended: ${this.errors}`)),
      () => {},
    )
    return Promise.race([this.log.take('output', (text) => text.match(pattern) ?? undefined, `${pattern}`), exit])
  }

  async stop() {
    if (this.child.exitCode === null) {
      const ended = new Promise((resolve) => this.child.once('exit', resolve))
      this.child.kill('SIGTERM')
      await ended
    }
    await rm(this.folder, { recursive: true, force: true })
  }
}
