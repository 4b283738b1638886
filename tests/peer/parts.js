// Texts, and how two other implementations cut them into parts: unit/engine_parts_peer.c holds ours
// beside them. A line a text:
//
//     text in hexadecimal UTF-8, encoding, units, bytes of UTF-8 of each part (split-sms)
//     encoding, number of parts (sms-segments-calculator), 1 if a grapheme has several characters
//
// Texts are every character of the BMP alone, runs around every limit, and made-up mixtures; the same
// in each run. usage: node parts.js NODE_MODULES
const path = require('path');
const modules = process.argv[2];
const { split } = require(path.resolve(modules, 'split-sms'));
const { SegmentedMessage } = require(path.resolve(modules, 'sms-segments-calculator'));

const MIXTURES = 3000;
const basic = '@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !"#¤%&\'()*+,-./0123456789:;<=>?' +
    '¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà';
const extension = '\f^{}\\[~]|€';
const alphabets = [
    [...basic],
    [...basic, ...extension],
    [...'aé', ...extension],
    [...basic, ...'你好çáΑ’–'],
    [...'你好，。【】，世界', ...'a1'],
    ['😀', '𠮷', 'a', '你'],
    ['😀', '👨‍👩‍👧‍👦', '🇨🇳', '👍🏽', 'a'],
    ['e\u0301', 'a', '\u200d', '\ufe0f', '한', 'ก็', 'हि', '你'],
    ['\r\n', '\n', '\r', 'a', '\f'],
];

let state = 42;
function below(n) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor(state / 4294967296 * n);
}

function* texts() {
    yield '';
    for (let code = 1; code < 0x10000; code++)
        if (code < 0xd800 || code > 0xdfff)
            yield String.fromCharCode(code);
    const fillers = ['a', '€', 'é', '你', '😀', 'Δ', '['];
    for (const limit of [35, 67, 70, 76, 80, 134, 153, 160, 201, 268, 306, 459, 612])
        for (let length = limit - 1; length <= limit + 1; length++)
            for (const filler of fillers)
                for (const tail of ['', 'a', '€', '你', '😀', 'aé'])
                    for (const before of ['', 'a'])
                        yield before + filler.repeat(length) + tail;
    for (const place of [65, 66, 67, 132, 133, 134, 151, 152, 153, 304, 305, 306])
        for (const odd of ['€', '😀', '你', '👨‍👩‍👧‍👦', 'e\u0301'])
            for (const filler of ['a', '你'])
                yield filler.repeat(place) + odd + filler.repeat(180);
    for (let i = 0; i < MIXTURES; i++) {
        const alphabet = alphabets[below(alphabets.length)];
        let text = '';
        for (let left = below(below(10) === 0 ? 500 : 180); left > 0; left--)
            text += alphabet[below(alphabet.length)];
        yield text;
    }
}

const lines = [];
for (const text of texts()) {
    const ours = split(text);
    const encoding = ours.characterSet === 'GSM' ? 'gsm7' : 'ucs2';
    const units = encoding === 'gsm7' ? ours.bytes : ours.bytes / 2;
    const sizes = ours.parts.map(part => Buffer.byteLength(part.content));
    const other = new SegmentedMessage(text);
    const hasClusters = other.graphemes.length !== [...text].length ? 1 : 0;
    lines.push([`x${Buffer.from(text).toString('hex')}`, encoding, units, sizes.join(','),
        other.encodingName === 'GSM-7' ? 'gsm7' : 'ucs2', other.segments.length, hasClusters].join(' '));
}
process.stdout.write(lines.join('\n') + '\n');
