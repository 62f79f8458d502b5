import assert from 'node:assert/strict'
import { test } from 'node:test'

import { text } from '../support/client.js'
import { linked } from '../support/scene.js'

for (const generation of [7, 6]) {
  test(`Baileys ${generation} answers, reacts, edits and deletes, and the phone knows which message`, async () => {
    const { owner, contact, client } = await linked(`acc_to${generation}`, generation)
    const theirs = await contact.send(owner, 'question')
    const quoted = await client.text('question')
    const seen = async (id) => {
      const { type, text, target } = await contact.received(`message ${id}`, (entry) => entry.whatsapp_id === id)
      return [type, text, target]
    }

    const answer = await client.send(contact, { text: 'answer' }, { quoted })
    assert.deepEqual(await seen(answer), ['text', 'answer', theirs])
    const reaction = await client.send(contact, { react: { text: '👍', key: quoted.key } })
    assert.deepEqual(await seen(reaction), ['reaction', '👍', theirs])
    const key = { remoteJid: contact.jid, fromMe: true, id: answer }
    const edit = await client.send(contact, { text: 'better answer', edit: key })
    assert.deepEqual(await seen(edit), ['edit', 'better answer', answer])
    const deletion = await client.send(contact, { delete: key })
    assert.deepEqual(await seen(deletion), ['delete', null, answer])
    await client.disconnect()
  })

  test(`a phone answers, reacts, edits and deletes, and Baileys ${generation} knows which message`, async () => {
    const { owner, contact, client } = await linked(`acc_from${generation}`, generation)
    const ours = await client.send(contact, { text: 'question' })
    await contact.received('the question', (entry) => entry.whatsapp_id === ours)

    const answer = await contact.send(owner, { type: 'text', text: 'answer', target: ours })
    const received = await client.text('answer')
    const context = received.message.extendedTextMessage.contextInfo
    assert.deepEqual([received.key.id, context.stanzaId, text(context.quotedMessage)], [answer, ours, 'question'])

    await contact.send(owner, { type: 'reaction', text: '👍', target: ours })
    const reaction = await client.log.take('messages.reaction', ({ key }) => key.id === ours && { key }, 'reaction')
    assert.equal(reaction.key.fromMe, true)

    await contact.send(owner, { type: 'edit', text: 'better answer', target: answer })
    const edited = ({ key, update }) => key.id === answer && update.message?.editedMessage?.message
    assert.equal(text(await client.log.take('messages.update', edited, 'edit')), 'better answer')

    await contact.send(owner, { type: 'delete', target: answer })
    const { REVOKE } = client.library.proto.WebMessageInfo.StubType
    const gone = ({ key, update }) => key.id === answer && update.messageStubType === REVOKE
    await client.log.take('messages.update', gone, 'deletion')

    for (const type of ['edit', 'delete']) {
      const refused = { status: 422, pointer: '/target' }
      await assert.rejects(contact.send(owner, { type, text: 'not mine', target: ours }), refused)
    }
    await assert.rejects(contact.send(owner, { type: 'reaction', text: '👍', target: 'unknown' }), { status: 404 })
    await client.disconnect()
  })
}
