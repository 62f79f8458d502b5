//! Names of the kinds of messages that the public API has no word for.

/// The field of `Message` in WhatsApp's protocol that carries the content, as the protocol names it; `None` when it is one
/// that this build does not know.
pub(crate) fn of(encoded: &[u8]) -> Option<&'static str> {
    let mut rest = encoded;
    while let Some((field, more)) = field(rest) {
        if let Some((_, name)) = NAMES.iter().find(|(number, _)| *number == field) {
            return Some(name);
        }
        rest = more;
    }
    None
}

/// The number of the first field, and what follows it. All fields of `Message` have a length.
fn field(encoded: &[u8]) -> Option<(u64, &[u8])> {
    let (tag, rest) = varint(encoded)?;
    let (length, rest) = varint(rest)?;
    Some((tag >> 3, rest.get(usize::try_from(length).ok()?..)?))
}

fn varint(encoded: &[u8]) -> Option<(u64, &[u8])> {
    let mut value = 0;
    for (place, byte) in encoded.iter().take(10).enumerate() {
        value |= u64::from(byte & 0x7F).checked_shl(u32::try_from(place * 7).ok()?)?;
        if byte & 0x80 == 0 {
            return Some((value, &encoded[place + 1..]));
        }
    }
    None
}

/// From `WAProto`, without what has a word of its own and without what is no content (keys, contexts).
const NAMES: &[(u64, &str)] = &[
    (10, "call"),
    (11, "chat"),
    (12, "protocolMessage"),
    (14, "highlyStructuredMessage"),
    (16, "sendPaymentMessage"),
    (22, "requestPaymentMessage"),
    (23, "declinePaymentRequestMessage"),
    (24, "cancelPaymentRequestMessage"),
    (25, "templateMessage"),
    (28, "groupInviteMessage"),
    (29, "templateButtonReplyMessage"),
    (30, "productMessage"),
    (36, "listMessage"),
    (38, "orderMessage"),
    (39, "listResponseMessage"),
    (41, "invoiceMessage"),
    (42, "buttonsMessage"),
    (43, "buttonsResponseMessage"),
    (44, "paymentInviteMessage"),
    (45, "interactiveMessage"),
    (47, "stickerSyncRmrMessage"),
    (48, "interactiveResponseMessage"),
    (51, "keepInChatMessage"),
    (54, "requestPhoneNumberMessage"),
    (56, "encReactionMessage"),
    (61, "scheduledCallCreationMessage"),
    (65, "scheduledCallEditMessage"),
    (69, "callLogMesssage"),
    (70, "messageHistoryBundle"),
    (71, "encCommentMessage"),
    (72, "bcallMessage"),
    (77, "commentMessage"),
    (78, "newsletterAdminInviteMessage"),
    (80, "placeholderMessage"),
    (82, "secretEncryptedMessage"),
    (83, "albumMessage"),
    (86, "stickerPackMessage"),
    (88, "pollResultSnapshotMessage"),
    (97, "richResponseMessage"),
    (98, "statusNotificationMessage"),
    (102, "messageHistoryNotice"),
    (105, "statusQuestionAnswerMessage"),
    (107, "questionResponseMessage"),
    (109, "statusQuotedMessage"),
    (110, "statusStickerInteractionMessage"),
    (113, "newsletterFollowerInviteMessageV2"),
    (115, "pollResultSnapshotMessageV3"),
    (120, "conditionalRevealMessage"),
    (121, "pollAddOptionMessage"),
    (122, "eventInviteMessage"),
    (124, "paymentReminderMessage"),
    (125, "splitPaymentMessage"),
];
