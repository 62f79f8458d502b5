// Groups, with both versions, our own session and a phone without companions in them.

import assert from 'node:assert/strict'
import { after, test } from 'node:test'

import { Client } from '../support/client.js'
import { people, sandbox } from '../support/scene.js'
import { signatures } from '../support/strict.js'
import { Waxwing } from '../support/waxwing.js'

/** With what the libraries say that the network has refused a query. */
const FORBIDDEN = { data: 403 }
const NO_SUCH_INVITE = { data: 406 }

/** Five people in a network of their own: our session's, those of both versions, and two without companions. */
async function company() {
  const waxwing = await Waxwing.start(sandbox)
  const { network, owner: ours, contact: seven } = await people(waxwing.account)
  const [six, plain] = [await network.phone('+15550003333'), await network.phone('+15550004444')]
  const late = await network.phone('+15550005555')
  const session = await waxwing.session(ours)
  const clients = { 7: await Client.paired(network, seven, 7), 6: await Client.paired(network, six, 6) }
  const leave = async () => {
    for (const client of Object.values(clients)) await client.disconnect()
    await waxwing.stop()
  }
  return { waxwing, session, network, ours, seven, six, plain, late, clients, leave }
}

const usual = await company()
after(() => usual.leave())
const { plain, late } = usual

/** The client of a version, the one of the other, and their phones. */
function roles(generation, { clients, seven, six } = usual) {
  const [newer, older] = [[clients[7], seven], [clients[6], six]]
  const [[client, owner], [other, theirs]] = generation === 7 ? [newer, older] : [older, newer]
  return { client, owner, other, theirs }
}

/** Waits until a client is told of a group that it is now in. */
const entered = (client, group) => client.log.take('groups.upsert', ({ id }) => id === group, 'group')

/** Makes a group by the client of a version, and waits until the clients in it know of it. */
async function group(generation, subject, members, form = 'jid', among = usual) {
  const { client, other, theirs } = roles(generation, among)
  const made = await client.socket.groupCreate(subject, members.map((member) => member[form]))
  await entered(client, made.id)
  if (members.includes(theirs)) await entered(other, made.id)
  return made
}

/** The kinds of ciphertext in which a client got this message. */
async function kinds(client, id) {
  const stanza = await client.log.take('<message>', ({ attrs, content }) => attrs.id === id && content, 'stanza')
  return stanza.filter(({ tag }) => tag === 'enc').map(({ attrs }) => attrs.type)
}

const isKey = (kind) => kind === 'pkmsg' || kind === 'msg'

/** Waits for the event that members of a group changed, by the first of them. */
function changed(client, group, action, member) {
  const named = (participant) => participant.id ?? participant
  const fits = (event) => event.id === group && event.action === action && named(event.participants[0]) === member.jid
  return client.log.take('group-participants.update', (event) => fits(event) && event, `${action} of ${member.number}`)
}

/** The next change of a group that says this. */
const updated = (client, group, fits, what) =>
  client.log.take('groups.update', (update) => update.id === group && fits(update), what)

for (const [form, words] of [['jid', 'number'], ['lid', 'hidden address']]) {
  test(`in a group that names its members by ${words} everybody reads everybody`, async (t) => {
    // Baileys 6 has a session with each of a person's two addresses, and people have one with its device: where both are
    // used it has to ask again.
    const among = form === 'jid' ? usual : await company()
    if (among !== usual) t.after(() => among.leave())
    const { waxwing, session, network, ours, seven, six, plain, clients } = among
    const made = await group(7, `by ${form}`, [six, plain, ours], form, among)
    assert.equal(made.addressingMode, form === 'jid' ? 'pn' : 'lid')
    const members = [ours, seven, six, plain].map((phone) => [phone[form], phone === seven ? 'superadmin' : null])
    for (const client of Object.values(clients)) {
      const known = await client.socket.groupMetadata(made.id)
      assert.deepEqual(known.participants.map(({ id, admin }) => [id, admin]), members)
      assert.deepEqual([known.subject, known.owner, known.size], [`by ${form}`, seven[form], 4])
    }

    const by = (client) => async (content, author) => {
      const { key } = await client.text(content)
      assert.deepEqual([key.remoteJid, key.participant.replace(/:\d+/, '')], [made.id, author[form]])
      return key.id
    }
    const reads = {
      7: by(clients[7]),
      6: by(clients[6]),
      plain: async (content, author) => {
        const entry = await plain.received(content, ({ text }) => text === content)
        assert.deepEqual([entry.chat, entry.from, entry.copies], [made.id, author.number, 1])
        return entry.whatsapp_id
      },
      ours: async (content, author) => {
        const message = await waxwing.received(session, content)
        assert.deepEqual([message.chat.jid, message.from.phone], [made.id, author.number])
        return message.whatsapp_id
      },
    }
    const writes = {
      7: [seven, (content) => clients[7].send(made.id, { text: content })],
      6: [six, (content) => clients[6].send(made.id, { text: content })],
      plain: [plain, (content) => plain.send(made.id, content)],
      ours: [ours, async (content) => (await waxwing.send(session, made.id, content)).whatsapp_id],
    }
    // The second of each comes with the key of the first.
    for (const round of ['first', 'second']) {
      for (const [writer, [author, write]] of Object.entries(writes)) {
        const content = `${round} of ${writer} by ${form}`
        const id = await write(content)
        for (const [reader, read] of Object.entries(reads)) {
          if (reader !== writer) assert.equal(await read(content, author), id, `${reader} reads ${writer}`)
        }
        for (const generation of [7, 6].filter((generation) => `${generation}` !== writer)) {
          const found = await kinds(clients[generation], id)
          const [key, shared] = round === 'first' ? found : [undefined, ...found]
          assert.ok(round === 'first' ? isKey(key) : found.length === 1, `${found} from ${writer}`)
          assert.equal(shared, 'skmsg')
        }
        const recipients = [ours, seven, six, plain].filter((phone) => phone !== author)
        for (const { number } of recipients) {
          const all = number === plain.number ? 1 : 2
          const fits = (entry) => entry.whatsapp_id === id && entry.to === number && entry.delivered === all
          await network.recorded(`"${content}" with ${all} devices of ${number}`, fits)
        }
      }
    }
    assert.equal(signatures.wrong, 0)
  })
}

for (const generation of [7, 6]) {
  test(`members come, rise, fall and go, and what Baileys ${generation} writes is for those who are there`, async () => {
    const { client, other, theirs } = roles(generation)
    const { id } = await group(generation, 'members', [theirs, plain])
    const change = (action, member) => client.socket.groupParticipantsUpdate(id, [member.jid], action)
    const says = async (content, absent) => {
      const sent = await client.send(id, { text: content })
      await other.text(content)
      for (const phone of [plain, late]) {
        if (phone !== absent) await phone.received(content, ({ whatsapp_id }) => whatsapp_id === sent)
      }
      return kinds(other, sent)
    }
    const hears = async (content) => {
      const sent = await plain.send(id, content)
      for (const one of [client, other]) await one.text(content)
      return [await kinds(client, sent), await kinds(other, sent)]
    }
    const [key, shared] = await says('before', late)
    assert.ok(isKey(key))
    assert.equal(shared, 'skmsg')
    for (const found of await hears('before, by a phone')) assert.equal(found.length, 2)

    assert.deepEqual((await change('add', late)).map(({ status, jid }) => [status, jid]), [['200', late.jid]])
    assert.equal((await change('add', late))[0].status, '409')
    await changed(other, id, 'add', late)
    // Who was there has the key; who is new gets it, or could not read this.
    assert.deepEqual(await says('with one more'), ['skmsg'])
    assert.deepEqual(await hears('with one more, by a phone'), [['skmsg'], ['skmsg']])

    assert.equal((await change('remove', late))[0].status, '200')
    assert.equal((await change('remove', late))[0].status, '404')
    await changed(other, id, 'remove', late)
    await says('without the one', late)
    // A phone takes another key when somebody is gone, and gives it to those who stay.
    for (const [given, content] of await hears('without the one, by a phone')) {
      assert.ok(isKey(given))
      assert.equal(content, 'skmsg')
    }
    const missed = ['before', 'before, by a phone', 'without the one', 'without the one, by a phone']
    assert.deepEqual((await late.inbox()).filter(({ chat, text }) => chat === id && missed.includes(text)), [])

    const rank = async () => {
      const { participants } = await other.socket.groupMetadata(id)
      return participants.find((member) => member.id === theirs.jid).admin
    }
    await change('promote', theirs)
    await changed(other, id, 'promote', theirs)
    assert.equal(await rank(), 'admin')
    await change('demote', theirs)
    await changed(other, id, 'demote', theirs)
    assert.equal(await rank(), null)
    await assert.rejects(other.socket.groupParticipantsUpdate(id, [plain.jid], 'remove'), FORBIDDEN)
  })

  test(`Baileys ${generation} invites by a link, and the other version joins, leaves and comes back`, async () => {
    const { client, other, theirs } = roles(generation)
    const { id } = await group(generation, 'open house', [plain])
    const code = await client.socket.groupInviteCode(id)
    assert.equal((await other.socket.groupGetInviteInfo(code)).subject, 'open house')
    assert.equal(await other.socket.groupAcceptInvite(code), id)
    await changed(client, id, 'add', theirs)
    await entered(other, id)
    assert.equal((await late.call('POST', '/groups/join', { code })).jid, id)
    await changed(other, id, 'add', late)
    await client.send(id, { text: 'welcome' })
    await other.text('welcome')
    await late.received('welcome', ({ chat, text }) => chat === id && text === 'welcome')
    await assert.rejects(other.socket.groupInviteCode(id), FORBIDDEN)

    const renewed = await client.socket.groupRevokeInvite(id)
    assert.notEqual(renewed, code)
    await assert.rejects(other.socket.groupGetInviteInfo(code), NO_SUCH_INVITE)
    await other.socket.groupLeave(id)
    await changed(client, id, 'remove', theirs)
    await assert.rejects(other.socket.groupMetadata(id), FORBIDDEN)
    assert.ok(!Object.keys(await other.socket.groupFetchAllParticipating()).includes(id))
    const away = await client.send(id, { text: 'while it was away' })
    await late.received('the text', ({ whatsapp_id }) => whatsapp_id === away)

    assert.equal(await other.socket.groupAcceptInvite(renewed), id)
    assert.ok(Object.keys(await other.socket.groupFetchAllParticipating()).includes(id))
    await client.send(id, { text: 'welcome back' })
    await other.text('welcome back')
    assert.deepEqual(other.log.left('message').filter(({ key }) => key.id === away), [])
  })
}

// Whoever was refused or asked again gives its key to everybody once more, in sessions that may be new: not where the cases
// above count keys.
const strained = await company()
after(() => strained.leave())

for (const generation of [7, 6]) {
  test(`Baileys ${generation} gives a group a subject, a description and settings, and the other version is told`, async () => {
    const { client, owner, other, theirs } = roles(generation, strained)
    const { plain } = strained
    const { id } = await group(generation, 'old subject', [theirs, plain], 'jid', strained)
    await client.socket.groupUpdateSubject(id, 'new subject')
    await updated(other, id, ({ subject }) => subject === 'new subject', 'subject')
    await client.socket.groupUpdateDescription(id, 'what it is about')
    await updated(other, id, ({ desc }) => desc === 'what it is about', 'description')
    const { subject, desc, subjectOwner, descOwner } = await other.socket.groupMetadata(id)
    assert.deepEqual([subject, desc], ['new subject', 'what it is about'])
    assert.deepEqual([subjectOwner, descOwner], [owner.jid, owner.jid])
    await client.socket.groupUpdateDescription(id, 'what else it is about')
    await client.socket.groupUpdateDescription(id)
    assert.equal((await other.socket.groupMetadata(id)).desc, undefined)

    await client.socket.groupSettingUpdate(id, 'locked')
    await updated(other, id, ({ restrict }) => restrict === true, 'lock')
    await assert.rejects(other.socket.groupUpdateSubject(id, 'by a member'), FORBIDDEN)
    await client.socket.groupSettingUpdate(id, 'unlocked')
    await other.socket.groupUpdateSubject(id, 'by a member')
    await updated(client, id, ({ subject }) => subject === 'by a member', 'subject')

    await client.socket.groupSettingUpdate(id, 'announcement')
    await updated(other, id, ({ announce }) => announce === true, 'announcement mode')
    await assert.rejects(other.send(id, { text: 'not allowed' }), /refused with 403/)
    await assert.rejects(plain.send(id, 'not allowed either'), { status: 403, code: 'forbidden', pointer: '/to' })
    await client.send(id, { text: 'by the admin' })
    await other.text('by the admin')
    await client.socket.groupSettingUpdate(id, 'not_announcement')
    await other.send(id, { text: 'allowed again' })
    await client.text('allowed again')
  })

  test(`who has lost the key of Baileys ${generation} asks for it, and gets the message with the same id`, async () => {
    const { client, owner, other, theirs } = roles(generation, strained)
    const { plain } = strained
    const { id } = await group(generation, 'lost keys', [theirs, plain], 'jid', strained)
    await client.send(id, { text: 'with the key' })
    await other.text('with the key')
    const name = `sender-key/${id}::${owner.jid.split('@')[0]}`
    const lost = [...other.stored.keys.keys()].filter((key) => key.startsWith(name))
    assert.equal(lost.length, 1)
    other.stored.keys.delete(lost[0])
    const sent = await client.send(id, { text: 'without the key' })
    assert.equal((await other.text('without the key')).key.id, sent)
    await client.receipt(sent, 'retry')
    await client.send(id, { text: 'and after' })
    await other.text('and after')
    const entry = await plain.received('and after', ({ chat, text }) => chat === id && text === 'and after')
    assert.equal(entry.copies, 1)
  })
}
