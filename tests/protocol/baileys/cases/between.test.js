import assert from 'node:assert/strict'
import { after, test } from 'node:test'

import { Client, text } from '../support/client.js'
import { CONTACT, OWNER, linked, sandbox } from '../support/scene.js'
import { signatures } from '../support/strict.js'
import { Waxwing } from '../support/waxwing.js'

const SIX = '+15550003333'

const waxwing = await Waxwing.start(sandbox)
after(() => waxwing.stop())

test('our session, Baileys 7 and Baileys 6 write to each other', async () => {
  const network = await sandbox.network(waxwing.account)
  const [ours, seven, six] = [await network.phone(OWNER), await network.phone(CONTACT), await network.phone(SIX)]
  const session = await waxwing.session(ours)
  const clients = [[await Client.paired(network, seven, 7), seven], [await Client.paired(network, six, 6), six]]

  for (const [client, phone] of clients) {
    const out = await waxwing.send(session, phone, `to ${phone.number}`)
    assert.equal((await client.text(`to ${phone.number}`)).key.id, out.whatsapp_id)
    await waxwing.status(out.id, 'delivered')

    const id = await client.send(ours, { text: `from ${phone.number}` })
    const received = await waxwing.received(session, `from ${phone.number}`)
    assert.equal(received.whatsapp_id, id)
    assert.equal(received.from.phone, phone.number)
    await client.receipt(id)
  }

  for (const [[from], [client, to]] of [clients, [...clients].reverse()]) {
    const id = await from.send(to, { text: 'between the two' })
    assert.equal((await client.text('between the two')).key.id, id)
    await network.recorded('both devices have it', (entry) => entry.whatsapp_id === id && entry.delivered === 2)
  }
  assert.equal(signatures.wrong, 0)
  for (const [client] of clients) await client.disconnect()
})

test('two devices of one account see what the other sends', async () => {
  const { network, owner, contact, client: first } = await linked('acc_own')
  const second = await Client.paired(network, owner, 6)
  const id = await first.send(contact, { text: 'by the first' })
  const copy = await second.message('the copy', ({ key }) => key.id === id)
  assert.deepEqual([text(copy.message), copy.key.fromMe], ['by the first', true])
  assert.ok([contact.jid, contact.lid].includes(copy.key.remoteJid), copy.key.remoteJid)
  const back = await second.send(contact, { text: 'by the second' })
  assert.equal(text((await first.message('the copy', ({ key }) => key.id === back)).message), 'by the second')
  // A copy names the account's real name, which the library takes for its own.
  assert.equal(first.me.name, owner.name)
  assert.equal(signatures.wrong, 0)
  for (const client of [first, second]) await client.disconnect()
})
