import assert from 'node:assert/strict'
import { test } from 'node:test'

import { Client } from '../support/client.js'
import { OWNER, people } from '../support/scene.js'
import { signatures } from '../support/strict.js'

for (const generation of [7, 6]) {
  test(`Baileys ${generation} is linked by a code that is typed into the phone`, async () => {
    const { network, owner, contact } = await people(`acc_code${generation}`)
    const client = new Client(network, generation)
    client.connect()
    await client.qr()
    await assert.rejects(owner.enterCode('ABCD-1234'), { code: 'no_code_shown', pointer: '/code' })
    const code = await client.pairingCode(OWNER)
    await assert.rejects(contact.enterCode(code), { code: 'no_code_shown' })
    await owner.enterCode(`${code.slice(0, 4)}-${code.slice(4)}`)
    await client.restarted()
    await client.opened()
    await client.send(contact, { text: 'linked by code' })
    await contact.received('the text', (entry) => entry.text === 'linked by code')
    assert.equal(signatures.wrong, 0)
    await client.disconnect()
  })
}

test('a wrong code links nobody, and the right one still does', async () => {
  const { network, owner } = await people('acc_wrong')
  const client = new Client(network)
  client.connect()
  await client.qr()
  const code = await client.pairingCode(OWNER)
  const wrong = (code[0] === '1' ? '2' : '1') + code.slice(1)
  await assert.rejects(owner.enterCode(wrong), { code: 'wrong_code', pointer: '/code' })
  await owner.enterCode(code)
  await client.restarted()
  await client.opened()
  await client.disconnect()
})
