// Mobile numbers of the countries in man/examples/countries.ndjson, as libphonenumber knows them: for
// unit/engine_mobile_peer.c, which finds the country of each. A line a number: country, number.
// Fails if a calling code is another there, or if it knows no mobile number that begins with one of
// our prefixes. usage: node countries.js NODE_MODULES
const fs = require('fs');
const path = require('path');
const modules = path.resolve(process.argv[2], 'libphonenumber-js');
const { countries } = require(path.join(modules, 'metadata.max.json'));
const examples = require(path.join(modules, 'examples.mobile.json'));

// What libphonenumber takes for mobile and our rows do not: beginnings of national numbers. Ranges for
// machines, pagers, voice over IP or an operator that is gone; where it does not tell mobile and fixed
// ones apart (CL), the fixed; of AR what lacks the 9 that mobile numbers have when they come from abroad.
const leftOut = {
    AR: /^(?!9)|^.{10}$/, AT: /^64/, BD: /^(11|[346])/, BG: /^43/, CH: /^6/, CL: /^[2-8]/, CO: /^94/,
    CZ: /^71/, ES: /^9/, GR: /^(68|94)/, IN: /^1/, IT: /^43/, KR: /^12/, MY: /^15/, NG: /^72/, NL: /^97/,
    NP: /^90/, PL: /^21/, PT: /^[16]/, TH: /^1/, TW: /^4/, UA: /^7[1259]/, VN: /^1/,
    ZA: /^([1-5]|8[67]|.{5,8}$)/,
};
const TRIES = 12;

let state = 42;
function digit() {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor(state / 4294967296 * 10);
}

// Metadata is a list: calling code, …, possible lengths (3), types (11): fixed, mobile, …
function mobileNumbers(country) {
    const metadata = countries[country];
    const [fixed, mobile] = metadata[11];
    const [pattern, lengths] = mobile && mobile[0] ? mobile : fixed; // "": it does not tell them apart
    const whole = new RegExp(`^(?:${pattern})$`);
    const numbers = [examples[country]];
    for (const length of lengths || metadata[3])
        for (let lead = 0; lead < 10000; lead++)
            for (let i = 0; i < TRIES; i++) {
                let number = String(lead).padStart(4, '0');
                while (number.length < length)
                    number += digit();
                if (whole.test(number)) {
                    numbers.push(number);
                    break;
                }
            }
    return numbers.filter(number => !(leftOut[country] && leftOut[country].test(number)));
}

const file = path.join(__dirname, '../../man/examples/countries.ndjson');
const lines = [];
for (const row of fs.readFileSync(file, 'utf8').trim().split('\n').map(JSON.parse)) {
    if (countries[row.alpha2][0] !== String(row.calling_code))
        throw new Error(`${row.alpha2}: calling code`);
    const numbers = mobileNumbers(row.alpha2);
    for (const prefix of row.number_prefixes || [])
        if (!numbers.some(number => number.startsWith(prefix)))
            throw new Error(`${row.alpha2}: no mobile number begins with ${prefix}`);
    for (const length of row.number_lengths)
        if (!numbers.some(number => number.length === length))
            throw new Error(`${row.alpha2}: no mobile number has ${length} digits`);
    for (const number of numbers)
        lines.push(`${row.alpha2} +${row.calling_code}${number}`);
}
process.stdout.write(lines.join('\n') + '\n');
