// What the network itself answers, each line as docs/reference/sandbox-fidelity.md has it.

import assert from 'node:assert/strict'
import { test } from 'node:test'

import { Client, text } from '../support/client.js'
import { linked, sandbox } from '../support/scene.js'
import { signatures } from '../support/strict.js'
import { until } from '../support/waiting.js'

const get = (client, xmlns, content, type = 'get') =>
  client.socket.query({ tag: 'iq', attrs: { to: 's.whatsapp.net', type, xmlns }, content })

const child = (node, tag) => (Array.isArray(node?.content) ? node.content.find((child) => child.tag === tag) : undefined)

async function preKeys(client) {
  return Number(child(await get(client, 'encrypt', [{ tag: 'count', attrs: {} }]), 'count').attrs.value)
}

test('another dictionary of tokens is refused with a close, not left hanging', async () => {
  const network = await sandbox.network('acc_dictionary')
  const { WebSocket } = await import('ws')
  const socket = new WebSocket(network.socketUrl)
  const closed = new Promise((resolve, reject) => {
    socket.on('close', (code) => resolve(code))
    socket.on('error', reject)
  })
  // Baileys 6.17.16 begins like this: "WA", 6, dictionary 2, and a first frame.
  socket.on('open', () => socket.send(Buffer.from([0x57, 0x41, 6, 2, 0, 0, 1, 0])))
  assert.equal(await closed, 1002)
})

for (const generation of [7, 6]) {
  test(`Baileys ${generation} names the route that it was told when it comes back`, async () => {
    const { network, client } = await linked(`acc_route${generation}`, generation)
    const routed = () => JSON.parse(client.stored.creds).routingInfo
    await until('routing information', routed)
    await network.fault('drop_connections')
    await client.closed()
    // With it the library begins its connection with "ED", a length and the route, before the usual header.
    client.connect()
    await client.opened()
    assert.ok(routed())
    await client.disconnect()
  })

  test(`one-time keys of Baileys ${generation} are uploaded, counted, used up and refilled`, async () => {
    const { network, owner, contact, client } = await linked(`acc_keys${generation}`, generation)
    const uploaded = await preKeys(client)
    assert.equal(uploaded, generation === 7 ? 812 : 30)

    await contact.send(owner, 'uses one up')
    await client.text('uses one up')
    await contact.send(owner, 'uses none')
    await client.text('uses none')
    assert.equal(await preKeys(client), uploaded - 1)

    assert.ok(child(await get(client, 'encrypt', [{ tag: 'digest', attrs: {} }]), 'digest'))
    await client.socket.rotateSignedPreKey?.()
    const stranger = await network.phone('+15550003333')
    await stranger.send(owner, 'with the new signed key')
    await client.text('with the new signed key')
    if (generation === 7) return client.disconnect()

    // Thirty keys are soon used up: the network tells the client once, and the client uploads more.
    for (let number = 1; number <= 24; number += 1) {
      const other = await network.phone(`+1555000${4000 + number}`)
      await other.send(owner, `from ${other.number}`)
      await client.text(`from ${other.number}`)
    }
    await client.log.take('<notification>', ({ attrs }) => attrs.type === 'encrypt', 'notification of few keys')
    await until('more keys', async () => (await preKeys(client)) > 4)
    await client.disconnect()
  })

  test(`Baileys ${generation} is asked for keepalives in either form, and for its settings`, async () => {
    const { client } = await linked(`acc_ask${generation}`, generation)
    for (const content of [[{ tag: 'ping', attrs: {} }], undefined]) {
      assert.equal((await get(client, 'w:p', content)).attrs.type, 'result')
    }
    const settings = await client.socket.fetchPrivacySettings(true)
    assert.deepEqual([settings.readreceipts, settings.last], ['all', 'all'])
    assert.deepEqual(await client.socket.fetchBlocklist(), [])
    await client.disconnect()
  })

  test(`the phone gives Baileys ${generation} keys and history once, and its receipts go nowhere`, async () => {
    const { network, client } = await linked(`acc_history${generation}`, generation)
    if (generation === 7) {
      const complete = ({ progress }) => progress === 100
      for (const part of ['bootstrap', 'recent']) await client.log.take('messaging-history.set', complete, `${part} history`)
    }
    await until('the app-state key', () => [...client.stored.keys.keys()].some((key) => key.startsWith('app-state-sync-key/')))
    const receipts = await until('receipts of all four parts', () => {
      const types = client.log.left('<ack>').map(({ attrs }) => attrs.type)
      return types.filter((type) => type === 'hist_sync').length >= 3 && types
    })
    assert.ok(receipts.includes('peer_msg'))
    assert.deepEqual(client.log.left('<receipt>'), [])
    const queued = () => client.log.take('<ib>', (ib) => child(ib, 'offline'), 'end of the queue')
    assert.equal((await queued()).attrs.count, '4')
    await network.fault('drop_connections')
    await client.closed()
    client.connect()
    await client.opened()
    assert.equal((await queued()).attrs.count, '0')
    await client.disconnect()
  })
}

test('a device list has an index for each companion, and keys for each device', async () => {
  const { network, owner, contact, client } = await linked('acc_devices')
  const other = await Client.paired(network, contact)
  const usync = await get(client, 'usync', [
    {
      tag: 'usync',
      attrs: { sid: 'devices', mode: 'query', last: 'true', index: '0', context: 'message' },
      content: [
        { tag: 'query', attrs: {}, content: [{ tag: 'devices', attrs: { version: '2' } }, { tag: 'lid', attrs: {} }] },
        { tag: 'list', attrs: {}, content: [contact.jid, contact.lid].map((jid) => ({ tag: 'user', attrs: { jid } })) },
      ],
    },
  ])
  const users = child(child(usync, 'usync'), 'list').content
  // Each in the form in which it was asked, and always with the hidden address.
  assert.deepEqual(users.map(({ attrs }) => attrs.jid), [contact.jid, contact.lid])
  for (const user of users) {
    assert.equal(child(user, 'lid').attrs.val, contact.lid)
    const devices = child(child(user, 'devices'), 'device-list').content
    assert.deepEqual(devices.map(({ attrs }) => [attrs.id, attrs['key-index']]), [['0', undefined], ['1', '1']])
  }
  const jids = [contact.jid, other.me.id]
  const keys = await get(client, 'encrypt', [
    { tag: 'key', attrs: {}, content: jids.map((jid) => ({ tag: 'user', attrs: { jid } })) },
  ])
  for (const user of child(keys, 'list').content) {
    assert.equal(child(user, 'error'), undefined, user.attrs.jid)
    assert.ok(child(user, 'key') && child(user, 'skey') && child(user, 'identity'), user.attrs.jid)
  }
  assert.equal(signatures.wrong, 0)
  for (const one of [client, other]) await one.disconnect()
})

test('a device that is not looked at says so, and its receipt is passed on as it is', async () => {
  const { network, owner, contact, client } = await linked('acc_inactive', 7, { behaviour: { online: false } })
  const other = await Client.paired(network, contact)
  // The library says nothing about itself before it knows its own name, which a copy of an own message tells it.
  await contact.send(owner, 'by the phone')
  await until('its own name', () => other.me.name === contact.name)
  await other.socket.sendPresenceUpdate('unavailable')
  const id = await client.send(contact, { text: 'not looked at' })
  await other.text('not looked at')
  assert.equal((await client.receipt(id, 'inactive')).attrs.from.replace(/:.*/, ''), contact.jid.replace(/@.*/, ''))
  await other.socket.sendPresenceUpdate('available')
  const second = await client.send(contact, { text: 'looked at' })
  await other.text('looked at')
  await client.receipt(second)
  for (const one of [client, other]) await one.disconnect()
})

test('a copy for an own device names chat, the chat\'s other address, and the owner', async () => {
  const { network, owner, contact, client: first } = await linked('acc_copies')
  const second = await Client.paired(network, owner)
  const id = await first.send(contact, { text: 'copied' })
  const { attrs } = await second.log.take('<message>', (stanza) => stanza.attrs.id === id && stanza, 'copy')
  const addresses = [attrs.recipient, attrs.peer_recipient_lid ?? attrs.peer_recipient_pn]
  assert.deepEqual(addresses.sort(), [contact.jid, contact.lid].sort())
  assert.equal(attrs.notify, owner.name)
  assert.equal(text((await second.message('copy', ({ key }) => key.id === id)).message), 'copied')
  // The confirmation by the second device is for its own account only.
  await until('its receipt', () => second.log.left('<ack>').some(({ attrs }) => attrs.type === 'sender' && attrs.id === id))
  assert.deepEqual(second.log.left('<receipt>').filter(({ attrs }) => attrs.type), [])
  for (const one of [first, second]) await one.disconnect()
})

test('whoever is written to gets a token of the writer, once', async () => {
  const { network, owner, contact, client } = await linked('acc_tokens')
  const other = await Client.paired(network, contact)
  await client.send(contact, { text: 'first' })
  await other.log.take('<notification>', ({ attrs }) => attrs.type === 'privacy_token', 'token')
  await until('the stored token', () => other.stored.keys.has(`tctoken/${owner.lid}`))
  await client.send(contact, { text: 'second' })
  await other.text('second')
  await other.send(owner, { text: 'answer' })
  await client.text('answer')
  assert.deepEqual(other.log.left('<notification>').filter(({ attrs }) => attrs.type === 'privacy_token'), [])
  for (const one of [client, other]) await one.disconnect()
})

test('a login by a device that the network does not know is refused with 401', async () => {
  const { client } = await linked('acc_unknown')
  await client.disconnect()
  const creds = JSON.parse(client.stored.creds)
  assert.match(creds.me.lid, /^\d+:1@lid$/)
  creds.me.id = creds.me.id.replace(':1@', ':2@')
  client.stored.creds = JSON.stringify(creds)
  client.connect()
  await client.log.take('connection.update', ({ connection }) => connection === 'close', 'end of the first connection')
  assert.equal((await client.closed()).output.statusCode, 401)
})
