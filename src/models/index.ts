export * from './gpt-bigcode/index.ts'
