import assert from 'node:assert/strict'
import { test } from 'node:test'

import { Client } from '../support/client.js'
import { people, sandbox } from '../support/scene.js'
import { signatures } from '../support/strict.js'

for (const generation of [7, 6]) {
  test(`Baileys ${generation} pairs by QR, comes back after 515, and is open`, async () => {
    const { network, owner: phone } = await people(`acc_qr${generation}`)
    const checked = signatures.right
    const client = await Client.paired(network, phone, generation)
    assert.equal(client.me.id.replace(/:\d+/, ''), phone.jid)
    assert.equal(client.me.lid.replace(/:\d+/, ''), phone.lid)
    // The account's signature in `pair-success`; with version 7 two certificates on each of two connections.
    assert.ok(signatures.right >= checked + (generation === 7 ? 5 : 1), `${signatures.right - checked} were checked`)
    assert.equal(signatures.wrong, 0)
    await client.disconnect()
  })
}

test('without the root of the sandbox a strict client refuses its certificate', async () => {
  const network = await sandbox.network('acc_root')
  const client = new Client(network, 7, { root: null })
  client.connect()
  const error = await client.closed()
  assert.match(error.message, /noise intermediate certificate signature invalid/)
  signatures.wrong -= 1
})
