-- What messages say, for searching. Texts are not kept here, only which words stand where. Each word begins with the number of
-- its account, so that an account's search reads its own words only; `scope` has the numbers of session and chat.
-- The tokenizer takes everything but ASCII letters, digits and what is not ASCII for a space: words come folded and cut.
CREATE VIRTUAL TABLE search USING fts5 (
    text, scope, content = '', contentless_delete = 1, tokenize = 'ascii'
);

-- Which message a row of `search` is. Places grow with the time of commit: milliseconds since 1970 times 2^20, and a number
-- within the millisecond.
CREATE TABLE search_documents (
    place   INTEGER PRIMARY KEY,
    account INTEGER NOT NULL,
    message TEXT    NOT NULL,
    version INTEGER NOT NULL,
    UNIQUE (account, message)
) STRICT;

-- Numbers of accounts, of their sessions and of their chats. A number is never given again.
CREATE TABLE search_names (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    name   TEXT NOT NULL UNIQUE
) STRICT;
