// A CommonJS module: exports found by identity, inner functions by the scope at its top.
const inner = (x) => x * 3;
function counter() {
  return (counter.calls = (counter.calls ?? 0) + 1);
}
class Pool {
  #queries = 0;
  query(text) {
    return `${text} ${++this.#queries}`;
  }
}
const pool = new Pool();
const makeQuery = (text) => () => pool.query(text);
module.exports = { makeQuery, triple: (x) => inner(x), counter, useInner: () => inner, table: { rows: [1, 2], sum: () => 3 } };
