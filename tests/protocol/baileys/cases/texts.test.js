import assert from 'node:assert/strict'
import { test } from 'node:test'

import { text } from '../support/client.js'
import { CONTACT, OWNER, linked } from '../support/scene.js'
import { signatures } from '../support/strict.js'

for (const generation of [7, 6]) {
  test(`Baileys ${generation} and a phone write to each other`, async () => {
    const behaviour = { read_after_ms: 0 }
    const { network, owner, contact, client } = await linked(`acc_text${generation}`, generation, { behaviour })

    // The library sends every text as `extendedTextMessage`; a raw message may be a `conversation`.
    const id = await client.send(contact, { text: 'hello' })
    await client.receipt(id)
    await client.receipt(id, 'read')
    await client.receipt(id, 'sender')
    const entry = await contact.received('the text', (entry) => entry.whatsapp_id === id)
    assert.deepEqual([entry.text, entry.from, entry.copies], ['hello', OWNER, 1])
    const short = client.socket.generateMessageTag()
    await client.socket.relayMessage(contact.jid, { conversation: 'short' }, { messageId: short })
    await client.receipt(short, 'read')
    assert.equal((await contact.received('the short text', (entry) => entry.whatsapp_id === short)).text, 'short')

    const sent = await contact.send(owner, 'from the contact')
    const received = await client.text('from the contact')
    assert.equal(received.key.id, sent)
    assert.equal(received.pushName, contact.name)
    assert.ok([contact.jid, contact.lid].includes(received.key.remoteJid), received.key.remoteJid)
    await network.recorded('both receipts', (entry) => entry.whatsapp_id === sent && entry.delivered === 2)
    await client.socket.readMessages([received.key])
    await network.recorded('the read receipt', (entry) => entry.whatsapp_id === sent && entry.read === 1)

    // What the owner's phone writes comes to the companion as its own.
    const own = await owner.send(contact, 'from the phone')
    const copy = await client.message('own message', ({ key }) => key.id === own)
    assert.equal(text(copy.message), 'from the phone')
    assert.equal(copy.key.fromMe, true)
    assert.ok([contact.jid, contact.lid].includes(copy.key.remoteJid), copy.key.remoteJid)

    const ledger = await network.ledger()
    assert.deepEqual(ledger.map(({ accepted }) => accepted), ledger.map(() => 1))
    assert.equal(signatures.wrong, 0)
    await client.disconnect()
  })

  test(`Baileys ${generation} tells the steps of a message in its own events`, async () => {
    const behaviour = { online: false, read_after_ms: 0 }
    const { contact, client } = await linked(`acc_step${generation}`, generation, { behaviour })
    const { SERVER_ACK, READ } = client.library.proto.WebMessageInfo.Status
    const id = await client.send(contact, { text: 'step by step' })
    // The owner's phone confirms its copy, which is what the library takes for the network's acknowledgement.
    await client.step(id, SERVER_ACK)
    await contact.behave({ online: true })
    await client.step(id, READ)
    await client.disconnect()
  })
}

test('a phone is found by its hidden address, too', async () => {
  const { contact, client } = await linked('acc_lid')
  const id = await client.send(contact.lid, { text: 'to the hidden address' })
  await client.receipt(id)
  const entry = await contact.received('the text', (entry) => entry.whatsapp_id === id)
  assert.equal(entry.from, OWNER)
  const [found, missing] = await client.socket.onWhatsApp(CONTACT, '+15550009999')
  assert.deepEqual([found.exists, missing?.exists ?? false], [true, false])
  await client.disconnect()
})
