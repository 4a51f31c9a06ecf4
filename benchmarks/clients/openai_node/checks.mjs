// OpenAI's client for Node: chat, completions, responses, conversations, embeddings, files, uploads, models, images.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import OpenAI, { toFile } from 'openai'
import { zodFunction, zodResponseFormat, zodTextFormat } from 'openai/helpers/zod'
import { z } from 'zod'

const client = new OpenAI({ maxRetries: 0 })
const model = process.env.CHAT_MODEL
const embeddingModel = process.env.EMBEDDING_MODEL
const ask = { model, messages: [{ role: 'user', content: 'Write a headline for a bakery.' }], max_tokens: 24, seed: 7 }
const respond = { model, input: 'Write a headline for a bakery.', max_output_tokens: 24 }
const Product = z.object({ size: z.enum(['small', 'large']), price: z.number().int() })
const lines = '{"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}\n'

async function all(pages) {
  const found = []
  for await (const one of pages) found.push(one)
  return found
}

test('chat', async () => {
  const answer = await client.chat.completions.create(ask)
  assert.ok(answer.choices[0].message.content)
  assert.equal(answer.usage.total_tokens, answer.usage.prompt_tokens + answer.usage.completion_tokens)
  assert.ok(answer._request_id)
})

test('chat streamed', async () => {
  const whole = await client.chat.completions.create(ask)
  const stream = await client.chat.completions.create({ ...ask, stream: true, stream_options: { include_usage: true } })
  const chunks = await all(stream)
  const said = chunks.map((chunk) => chunk.choices[0]?.delta?.content ?? '').join('')
  assert.equal(said, whole.choices[0].message.content)
  assert.deepEqual(chunks.at(-1).usage, whole.usage)
})

test('chat by the stream helper', async () => {
  const runner = client.chat.completions.stream({ ...ask, stream_options: { include_usage: true } })
  let said = ''
  runner.on('content', (delta) => { said += delta })
  assert.equal((await runner.finalChatCompletion()).choices[0].message.content, said)
  assert.ok((await runner.totalUsage()).completion_tokens > 0)
})

test('n, logprobs, stop', async () => {
  assert.equal((await client.chat.completions.create({ ...ask, n: 2 })).choices.length, 2)
  const scored = await client.chat.completions.create({ ...ask, logprobs: true, top_logprobs: 2 })
  assert.equal(scored.choices[0].logprobs.content[0].top_logprobs.length, 2)
  const text = (await client.chat.completions.create(ask)).choices[0].message.content
  const stop = text.slice(Math.floor(text.length / 2)).slice(0, 2)
  const cut = (await client.chat.completions.create({ ...ask, stop: [stop] })).choices[0].message.content
  assert.equal(cut, text.slice(0, text.indexOf(stop)))
})

test('chat parsed', async () => {
  const asked = { ...ask, max_tokens: 120, response_format: zodResponseFormat(Product, 'product') }
  assert.ok(Product.parse((await client.chat.completions.parse(asked)).choices[0].message.parsed))
  const final = await client.chat.completions.stream(asked).finalChatCompletion()
  assert.ok(Product.parse(final.choices[0].message.parsed))
})

test('tools parsed', async () => {
  const tools = [zodFunction({ name: 'book', parameters: Product })]
  const asked = { ...ask, max_tokens: 200, tools, tool_choice: 'required' }
  const answer = await client.chat.completions.parse(asked)
  assert.equal(answer.choices[0].finish_reason, 'tool_calls')
  for (const call of answer.choices[0].message.tool_calls) assert.ok(Product.parse(call.function.parsed_arguments))
})

test('tools run by the helper', async () => {
  const seen = []
  const parameters = { type: 'object', properties: { size: { enum: ['small', 'large'] } }, required: ['size'] }
  const run = (given) => { seen.push(given.size); return 'done' }
  const tools = [{ type: 'function', function: { name: 'price', parameters, parse: JSON.parse, function: run } }]
  const tool_choice = { type: 'function', function: { name: 'price' } }
  const runner = client.chat.completions.runTools({ ...ask, max_tokens: 200, tools, tool_choice })
  await runner.done()
  assert.ok(seen.length > 0 && seen.every((size) => ['small', 'large'].includes(size)))
})

test('completions', async () => {
  const asked = { model, prompt: 'the quick', max_tokens: 6, temperature: 0 }
  const whole = await client.completions.create({ ...asked, logprobs: 1 })
  const said = (await all(await client.completions.create({ ...asked, stream: true }))).map((c) => c.choices[0].text)
  assert.equal(said.join(''), whole.choices[0].text)
  assert.ok(whole.choices[0].logprobs.tokens.length > 0)
})

test('responses', async () => {
  const answer = await client.responses.create(respond)
  assert.ok(answer.output_text && answer.usage.input_tokens > 0)
  const next = await client.responses.create({ ...respond, previous_response_id: answer.id })
  assert.ok(next.usage.input_tokens > answer.usage.input_tokens)
  assert.equal((await client.responses.retrieve(answer.id)).output_text, answer.output_text)
  assert.ok((await all(client.responses.inputItems.list(answer.id))).length > 0)
  await client.responses.delete(answer.id)
  await assert.rejects(client.responses.retrieve(answer.id), OpenAI.NotFoundError)
})

test('responses streamed', async () => {
  const events = await all(await client.responses.create({ ...respond, stream: true }))
  assert.equal(events[0].type, 'response.created')
  assert.match(events.at(-1).type, /response\.(completed|incomplete)/)
  assert.deepEqual(events.map((event) => event.sequence_number), events.map((_, place) => place))
})

test('responses parsed, whole and by the stream helper', async () => {
  const asked = { ...respond, max_output_tokens: 120, text: { format: zodTextFormat(Product, 'product') } }
  assert.ok(Product.parse((await client.responses.parse(asked)).output_parsed))
  assert.ok(Product.parse((await client.responses.stream(asked).finalResponse()).output_parsed))
})

test('responses in the background', async () => {
  let made = await client.responses.create({ ...respond, background: true })
  for (let i = 0; i < 300 && ['queued', 'in_progress'].includes(made.status); i++) {
    await new Promise((done) => setTimeout(done, 100))
    made = await client.responses.retrieve(made.id)
  }
  assert.ok(made.output_text)
})

test('responses counted and compacted', async () => {
  const made = await client.responses.create(respond)
  const counted = await client.responses.inputTokens.count({ model, input: respond.input })
  assert.equal(counted.input_tokens, made.usage.input_tokens)
  const compacted = await client.responses.compact({ model, previous_response_id: made.id })
  assert.equal(compacted.object, 'response.compaction')
})

test('conversations', async () => {
  const made = await client.conversations.create({ metadata: { a: 'b' } })
  await client.responses.create({ ...respond, conversation: made.id })
  assert.equal((await all(client.conversations.items.list(made.id))).length, 2)
  assert.equal((await client.conversations.delete(made.id)).deleted, true)
})

test('embeddings', async () => {
  const packed = await client.embeddings.create({ model: embeddingModel, input: ['coffee', 'yoga'] })
  const plain = await client.embeddings.create({ model: embeddingModel, input: 'coffee', encoding_format: 'float' })
  assert.equal(packed.data.length, 2)
  assert.ok(Math.abs(packed.data[0].embedding[0] - plain.data[0].embedding[0]) < 1e-5)
})

test('files', async () => {
  const made = await client.files.create({ file: await toFile(Buffer.from(lines), 'a.jsonl'), purpose: 'fine-tune' })
  assert.equal(await (await client.files.content(made.id)).text(), lines)
  assert.ok((await all(client.files.list({ purpose: 'fine-tune' }))).some((file) => file.id === made.id))
  assert.equal((await client.files.waitForProcessing(made.id)).id, made.id)
  assert.equal((await client.files.delete(made.id)).deleted, true)
})

test('uploads', async () => {
  const made = await client.uploads.create({ bytes: 6, filename: 'a', mime_type: 'text/plain', purpose: 'user_data' })
  const parts = []
  for (const text of ['abc', 'def']) {
    parts.push((await client.uploads.parts.create(made.id, { data: await toFile(Buffer.from(text), 'p') })).id)
  }
  const done = await client.uploads.complete(made.id, { part_ids: parts })
  assert.equal(await (await client.files.content(done.file.id)).text(), 'abcdef')
})

test('models', async () => {
  const ids = (await all(client.models.list())).map((found) => found.id)
  assert.ok(ids.includes(model) && ids.includes(embeddingModel))
  assert.equal((await client.models.retrieve(model)).object, 'model')
})

test('stored completions', async () => {
  const made = await client.chat.completions.create({ ...ask, store: true, metadata: { node: 'yes' } })
  assert.equal((await client.chat.completions.retrieve(made.id)).id, made.id)
  assert.ok((await all(client.chat.completions.list())).some((one) => one.id === made.id))
  assert.equal((await all(client.chat.completions.messages.list(made.id))).length, 1)
  assert.equal((await client.chat.completions.delete(made.id)).deleted, true)
})

test('errors', async () => {
  const wrong = { ...ask, model: 'no-such-model' }
  await assert.rejects(client.chat.completions.create(wrong), (e) => e instanceof OpenAI.NotFoundError && e.code === 'model_not_found')
  await assert.rejects(client.chat.completions.create({ ...ask, temperature: 9 }), (e) => e instanceof OpenAI.BadRequestError && e.param === 'temperature')
  await assert.rejects(client.withOptions({ apiKey: 'sk-wrong' }).models.list(), OpenAI.AuthenticationError)
})

test('leaving a stream', async () => {
  for (let i = 0; i < 8; i++) {
    const stream = await client.chat.completions.create({ ...ask, max_tokens: 900, stream: true })
    for await (const chunk of stream) { assert.ok(chunk.id); break }
  }
  assert.ok((await client.chat.completions.create(ask)).choices)
})

test('images', async (t) => {
  const names = (await all(await client.models.list())).map((found) => found.id)
  if (!names.includes('starter-image')) return t.skip('no image service runs')
  const asked = { model: 'starter-image', prompt: 'a red cup', size: '128x128' }
  const made = await client.images.generate(asked)
  assert.ok(made.data[0].b64_json)
  const events = await all(await client.images.generate({ ...asked, stream: true, partial_images: 1 }))
  assert.equal(events.at(-1).type, 'image_generation.completed')
  const picture = await toFile(Buffer.from(made.data[0].b64_json, 'base64'), 'cup.png', { type: 'image/png' })
  const edited = await client.images.edit({ ...asked, image: [picture], prompt: 'a blue cup' })
  assert.ok(edited.data[0].b64_json)
  const address = await client.images.generate({ ...asked, response_format: 'url' })
  assert.equal((await fetch(address.data[0].url)).status, 200)
})
