import assert from 'node:assert/strict'
import { test } from 'node:test'

import { Client } from '../support/client.js'
import { CONTACT, OWNER, linked, people, sandbox } from '../support/scene.js'
import { Waxwing } from '../support/waxwing.js'

/** The ids of messages that this client asked for again: the network acknowledged each such receipt. */
function askedAgain(client) {
  const retries = client.log.left('<ack>').filter(({ attrs }) => attrs.class === 'receipt' && attrs.type === 'retry')
  return retries.map(({ attrs }) => attrs.id)
}

for (const generation of [7, 6]) {
  test(`Baileys ${generation} asks once for what it cannot decrypt, and gets it with the same id`, async () => {
    const { network, owner, contact, client } = await linked(`acc_in${generation}`, generation)
    await contact.send(owner, 'whole')
    await client.text('whole')
    await network.fault('corrupt', { number: OWNER })
    assert.deepEqual((await network.faults()).map(({ kind, remaining }) => [kind, remaining]), [['corrupt', 1]])

    const id = await contact.send(owner, 'damaged on the way')
    assert.equal((await client.text('damaged on the way')).key.id, id)
    assert.deepEqual(askedAgain(client), [id])
    assert.deepEqual(await network.faults(), [])
    // The ratchet works again in both directions.
    await contact.send(owner, 'and after')
    await client.text('and after')
    await client.send(contact, { text: 'answer' })
    await contact.received('the answer', (entry) => entry.text === 'answer' && entry.copies === 1)
    await client.disconnect()
  })

  test(`Baileys ${generation} sends again, with the same id, what a phone could not decrypt`, async () => {
    const { network, contact, client } = await linked(`acc_out${generation}`, generation)
    await client.send(contact, { text: 'whole' })
    await contact.received('the first', (entry) => entry.text === 'whole')
    await network.fault('corrupt', { number: CONTACT })
    const id = await client.send(contact, { text: 'damaged on the way' })
    const entry = await contact.received('the damaged one', (entry) => entry.whatsapp_id === id)
    assert.deepEqual([entry.text, entry.copies], ['damaged on the way', 1])
    const retries = client.log.left('<receipt>').filter(({ attrs }) => attrs.type === 'retry')
    assert.deepEqual(retries.map(({ attrs }) => attrs.id), [id])
    await client.disconnect()
  })
}

test('between our session and Baileys a damaged message comes with the second copy, in both directions', async () => {
  const waxwing = await Waxwing.start(sandbox)
  const { network, owner: ours, contact: theirs } = await people(waxwing.account)
  const session = await waxwing.session(ours)
  const client = await Client.paired(network, theirs)
  await waxwing.send(session, theirs, 'whole')
  await client.text('whole')
  await client.send(ours, { text: 'whole, too' })
  await waxwing.received(session, 'whole, too')

  // The phone of each side gets a copy, too: the fault strikes twice.
  await network.fault('corrupt', { number: CONTACT, count: 2 })
  const out = await waxwing.send(session, theirs, 'damaged')
  assert.equal((await client.text('damaged')).key.id, out.whatsapp_id)
  await theirs.received('the same', (entry) => entry.whatsapp_id === out.whatsapp_id)

  await network.fault('corrupt', { number: OWNER, count: 2 })
  const id = await client.send(ours, { text: 'damaged, too' })
  assert.equal((await waxwing.received(session, 'damaged, too')).whatsapp_id, id)
  assert.deepEqual(await network.faults(), [])
  await client.disconnect()
  await waxwing.stop()
})
