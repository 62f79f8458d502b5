// Makes every signature check of the libraries real. Import this before either of them.
//
// libsignal 6.0.0 *returns* false for a wrong signature, which Baileys 7 ignores, and skips the check of a signed pre-key
// altogether: without this, a run proves nothing about our signatures. No file of a library is changed: both import this
// one CommonJS module, and take the function from it when they are loaded.

import { createRequire } from 'node:module'

const curve = createRequire(import.meta.url)('libsignal/src/curve.js')
const verify = curve.verifySignature

/** How many signatures were checked, and how many of them were wrong. */
export const signatures = { right: 0, wrong: 0 }

curve.verifySignature = (key, message, signature) => {
  if (!verify(key, message, signature, false)) {
    signatures.wrong += 1
    throw new Error('the signature is wrong')
  }
  signatures.right += 1
  return true
}

// libsignal prints its sessions, private keys included. Nothing here prints by the console.
for (const level of ['debug', 'error', 'info', 'log', 'warn']) console[level] = () => {}
