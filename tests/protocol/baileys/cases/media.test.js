import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'

import { Client } from '../support/client.js'
import { Media } from '../support/media.js'
import { linked, sandbox } from '../support/scene.js'
import { signatures } from '../support/strict.js'

/** Nobody here looks at pictures: what counts is that every byte arrives. */
const IMAGE = randomBytes(100_003)
/** So that the libraries make none. */
const jpegThumbnail = randomBytes(100).toString('base64')
const hash = (bytes) => createHash('sha256').update(bytes).digest()

const media = await Media.start(sandbox)
after(() => media.stop())

/** With what a request was refused: the libraries throw an error of their own, Baileys 6 for downloads that of axios. */
async function refused(request) {
  const error = await request.then(() => assert.fail('it was not refused'), (error) => error)
  return error.output?.statusCode ?? error.response?.status ?? assert.fail(error)
}

/** Sends the image. Baileys 6 may upload a file that it has not written to its end: the network refuses it. */
async function send(client, to, more = {}) {
  for (let attempts = 1; ; attempts += 1) {
    try {
      return await client.send(to, { image: IMAGE, jpegThumbnail, ...more })
    } catch (error) {
      if (client.generation !== 6 || attempts === 5 || !/Media upload failed/.test(error.message)) throw error
    }
  }
}

for (const generation of [7, 6]) {
  test(`Baileys ${generation} sends an image to a phone and to the other version`, async () => {
    const { network, contact, client } = await linked(`acc_up${generation}`, generation, { media })
    const other = await Client.paired(network, contact, generation === 7 ? 6 : 7, { media })
    const id = await send(client, contact, { caption: 'the menu', mimetype: 'image/png' })
    // To the host that the network named, which is the one by which the client reached it.
    assert.deepEqual(media.taken().at(-1), ['POST', new URL(sandbox.url).host, 200])

    const entry = await contact.received('the image', ({ whatsapp_id }) => whatsapp_id === id)
    const { state, sha256, size_bytes, mime_type } = entry.media
    assert.deepEqual([entry.type, entry.text, state, mime_type], ['image', 'the menu', 'ok', 'image/png'])
    assert.deepEqual([sha256, size_bytes], [hash(IMAGE).toString('base64'), IMAGE.length])

    const picture = await other.picture(id)
    assert.equal(picture.message.imageMessage.caption, 'the menu')
    assert.ok(IMAGE.equals(await other.download(picture)))
    assert.equal(signatures.wrong, 0)
    for (const one of [client, other]) await one.disconnect()
  })

  test(`Baileys ${generation} fetches an image of a phone, whole and in part`, async () => {
    const { owner, contact, client } = await linked(`acc_down${generation}`, generation, { media })
    const file = { type: 'image', media: { data: IMAGE.toString('base64') }, caption: 'our garden' }
    const picture = await client.picture(await contact.send(owner, file))
    assert.equal(picture.message.imageMessage.caption, 'our garden')
    media.taken()
    assert.ok(IMAGE.equals(await client.download(picture)))
    // Neither begins or ends where blocks of the cipher do; the library asks for more than there is at the end.
    for (const [startByte, endByte] of [[1_001, 50_003], [70_007, IMAGE.length]]) {
      const part = await client.download(picture, { startByte, endByte })
      assert.ok(part.equals(IMAGE.subarray(startByte, endByte)), `${startByte} to ${endByte}`)
    }
    // The message names no host: then it is WhatsApp's.
    assert.deepEqual(media.taken(), [200, 206, 206].map((status) => ['GET', 'mmg.whatsapp.net', status]))
    await client.disconnect()
  })

  test(`Baileys ${generation} asks its phone for an image that is gone, and gets it again`, async () => {
    const { network, owner, contact, client } = await linked(`acc_gone${generation}`, generation, { media })
    const file = { type: 'image', media: { data: IMAGE.toString('base64') } }
    const picture = await client.picture(await contact.send(owner, file))
    const { directPath } = picture.message.imageMessage
    await network.fault('media_gone')
    assert.equal(await refused(client.download(picture)), 410)
    await client.socket.updateMediaMessage(picture)
    assert.notEqual(picture.message.imageMessage.directPath, directPath)
    assert.ok(IMAGE.equals(await client.download(picture)))

    // What never was is another thing than what is gone, for the network and for the phone.
    Object.assign(picture.message.imageMessage, { directPath: `${directPath}x`, url: '' })
    assert.equal(await refused(client.download(picture)), 404)
    picture.key.id = 'of no message'
    assert.equal(await refused(client.socket.updateMediaMessage(picture)), 404)
    await client.disconnect()
  })

  test(`what Baileys ${generation} names with another hash is refused`, async () => {
    const { contact, client } = await linked(`acc_hash${generation}`, generation, { media })
    const folder = await mkdtemp(join(tmpdir(), 'waxwing-protocol-'))
    const path = join(folder, 'file')
    await writeFile(path, IMAGE)
    const upload = (bytes) =>
      client.socket.waUploadToServer(path, { mediaType: 'image', fileEncSha256B64: hash(bytes).toString('base64') })
    media.taken()
    await upload(IMAGE)
    await assert.rejects(upload(randomBytes(10)), /Media upload failed on all hosts/)
    assert.deepEqual(media.taken().map(([, , status]) => status), [200, 400])
    await rm(folder, { recursive: true })

    const id = await send(client, contact)
    const { imageMessage } = client.sent.get(id)
    for (const wrong of ['fileEncSha256', 'fileSha256', 'mediaKey']) {
      const messageId = client.socket.generateMessageTag()
      const message = { imageMessage: { ...imageMessage, [wrong]: randomBytes(32) } }
      await client.socket.relayMessage(contact.jid, message, { messageId })
      const entry = await contact.received(`another ${wrong}`, ({ whatsapp_id }) => whatsapp_id === messageId)
      assert.equal(entry.media.state, 'invalid', wrong)
    }
    await client.disconnect()
  })
}
