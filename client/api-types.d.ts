// Types of `createClient`, over the paths that openapi-typescript writes from docs/openapi.json.
import type { paths } from "./openapi.d.ts";
import type { TokenSource } from "./types.d.ts";

export type { paths, components } from "./openapi.d.ts";

export interface ApiOptions {
  /** URL of the functions. */
  baseUrl: string | URL;
  /** None for public routes. */
  token?: TokenSource;
  fetch?: typeof fetch;
  /** Further tries of what is safe to repeat (3). */
  retries?: number;
}

/** What a call takes, whatever its path. */
export interface Call {
  params?: { path?: Record<string, unknown>; query?: Record<string, unknown>; header?: Record<string, any> };
  body?: unknown;
  headers?: Record<string, string>;
  signal?: AbortSignal;
  /** Makes a create repeatable. */
  idempotencyKey?: string;
}

type Method = "get" | "head" | "post" | "put" | "delete";
type With<M extends Method> = { [P in keyof paths]: paths[P] extends Record<M, object> ? P : never }[keyof paths];
type Operation<P extends keyof paths, M extends Method> = paths[P] extends Record<M, infer O> ? O : never;

type Kept<T, K extends string> = K extends keyof T ? (undefined extends T[K] ? { [N in K]?: T[K] } : { [N in K]: T[K] }) : {};
type Parameters<O> = O extends { parameters: infer P }
  ? Kept<P, "path"> & Kept<P, "query"> & { header?: P extends { header?: infer H } ? Partial<NonNullable<H>> : never }
  : {};
type ParametersOf<O> = {} extends Parameters<O> ? { params?: Parameters<O> } : { params: Parameters<O> };
type BodyOf<O> = O extends { requestBody: { content: { "application/json": infer B } } }
  ? { body: B }
  : O extends { requestBody?: { content: { "application/json": infer B } } }
    ? { body?: B }
    : {};
type CallOf<O> = ParametersOf<O> & BodyOf<O> & Omit<Call, "params" | "body">;

type Json<R> = R extends { content: { "application/json": infer T } } ? T : never;
type Success<O> = O extends { responses: infer R } ? R[keyof R & (200 | 201 | 202)] : never;
/** The body of the successful answer; undefined where there is none. */
export type Data<O> = [Json<Success<O>>] extends [never] ? undefined : Json<Success<O>>;

type Send<M extends Method> = <P extends With<M>>(
  path: P,
  ...call: {} extends CallOf<Operation<P, M>> ? [call?: CallOf<Operation<P, M>>] : [call: CallOf<Operation<P, M>>]
) => Promise<Data<Operation<P, M>>>;

export interface Api {
  GET: Send<"get">;
  HEAD: Send<"head">;
  POST: Send<"post">;
  PUT: Send<"put">;
  DELETE: Send<"delete">;
  /** Any call, with the response's headers. */
  request(method: string, path: string, call?: Call): Promise<{ data: any; response: Response }>;
}
