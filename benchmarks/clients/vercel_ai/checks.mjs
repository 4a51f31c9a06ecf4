// The Vercel AI SDK: its providers for OpenAI (chat and responses) and for what is compatible with OpenAI.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { createOpenAI } from '@ai-sdk/openai'
import { createOpenAICompatible } from '@ai-sdk/openai-compatible'
import { APICallError, Output, cosineSimilarity, embed, embedMany, generateObject, generateText, isStepCount, streamObject, streamText, tool } from 'ai'
import { z } from 'zod'

const name = process.env.CHAT_MODEL
const embedding = process.env.EMBEDDING_MODEL
const settings = { baseURL: process.env.OPENAI_BASE_URL, apiKey: process.env.OPENAI_API_KEY }
const openai = createOpenAI(settings)
const compatible = createOpenAICompatible({ ...settings, name: 'suite', includeUsage: true, supportsStructuredOutputs: true })
const Product = z.object({ size: z.enum(['small', 'large']), price: z.number().int() })
const price = { description: 'What a cake costs.', inputSchema: z.object({ size: z.enum(['small', 'large']) }) }
const short = { prompt: 'A small cake.', maxOutputTokens: 24, maxRetries: 0 }
const long = { ...short, maxOutputTokens: 200 }

for (const [kind, model] of [['chat', openai.chat(name)], ['responses', openai.responses(name)], ['compatible', compatible(name)]]) {
  describe(kind, () => {
    test(`generateText, ${kind}`, async () => {
      const found = await generateText({ model, instructions: 'Be brief.', ...short })
      assert.ok(found.text && found.usage.outputTokens > 0)
    })

    test(`streamText, ${kind}`, async () => {
      const run = streamText({ model, ...short, onError: ({ error }) => { throw error } })
      let said = ''
      for await (const part of run.textStream) said += part
      assert.equal(said, await run.text)
      assert.ok(said && (await run.usage).outputTokens > 0)
    })

    test(`generateObject, ${kind}`, async () => {
      assert.ok(Product.parse((await generateObject({ model, schema: Product, ...long })).object))
    })

    test(`streamObject, ${kind}`, async () => {
      const run = streamObject({ model, schema: Product, ...long })
      for await (const part of run.partialObjectStream) assert.equal(typeof part, 'object')
      assert.ok(Product.parse(await run.object))
    })

    test(`output of generateText, ${kind}`, async () => {
      const found = await generateText({ model, output: Output.object({ schema: Product }), ...long })
      assert.ok(Product.parse(found.output))
    })

    test(`tools, ${kind}`, async () => {
      const found = await generateText({ model, tools: { price: tool(price) }, toolChoice: 'required', ...long })
      assert.equal(found.finishReason, 'tool-calls')
      for (const call of found.toolCalls) assert.ok(price.inputSchema.parse(call.input))
    })

    test(`tools streamed, ${kind}`, async () => {
      const run = streamText({ model, tools: { price: tool(price) }, toolChoice: { type: 'tool', toolName: 'price' }, ...long })
      const kinds = new Set()
      for await (const part of run.fullStream) kinds.add(part.type)
      assert.ok(kinds.has('tool-call') && !kinds.has('error'))
    })

    test(`a loop of calls, ${kind}`, async () => {
      const tools = { price: tool({ ...price, execute: async ({ size }) => `a ${size} one costs 12` }) }
      const prepareStep = ({ stepNumber }) => ({ toolChoice: stepNumber === 0 ? 'required' : 'none' })
      const found = await generateText({ model, tools, prepareStep, stopWhen: isStepCount(2), ...long })
      assert.equal(found.steps.length, 2)
      assert.ok(found.steps[0].toolResults.every((result) => result.output.includes('costs 12')))
    })

    test(`errors, ${kind}`, async () => {
      const wrong = kind === 'compatible' ? compatible('no-such-model') : openai[kind]('no-such-model')
      await assert.rejects(generateText({ model: wrong, ...short }), (e) => APICallError.isInstance(e) && e.statusCode === 404)
    })
  })
}

test('completions', async () => {
  assert.ok((await generateText({ model: openai.completion(name), ...short })).text)
})

test('embed and embedMany', async () => {
  const { embedding: one } = await embed({ model: openai.embedding(embedding), value: 'coffee' })
  const { embeddings } = await embedMany({ model: compatible.embeddingModel(embedding), values: ['coffee', 'yoga'] })
  assert.ok(cosineSimilarity(one, embeddings[0]) > 0.999)
})
