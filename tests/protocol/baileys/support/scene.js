// What most cases begin with: one sandbox for the cases of a file, two people, and a client linked to the phone of the first.

import { after } from 'node:test'

import { Client } from './client.js'
import { Sandbox } from './sandbox.js'

export const OWNER = '+15550001111'
export const CONTACT = '+15550002222'

/** For the file that imports this; stopped after its last case. */
export const sandbox = await Sandbox.start()
after(() => sandbox.stop())

/** A network of its own with the two phones. */
export async function people(account, behaviour = {}) {
  const network = await sandbox.network(account)
  return { network, owner: await network.phone(OWNER), contact: await network.phone(CONTACT, behaviour) }
}

/** The same, and a client of the owner. */
export async function linked(account, generation = 7, { behaviour, media } = {}) {
  const scene = await people(account, behaviour)
  return { ...scene, client: await Client.paired(scene.network, scene.owner, generation, { media }) }
}
