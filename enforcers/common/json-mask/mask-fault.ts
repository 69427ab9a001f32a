/** Why an answer cannot be masked any further: what follows of it never leaves. Says nothing of the answer's content. */
export class MaskFault extends Error {
  constructor(why: string) {
    super(why);
    this.name = 'MaskFault';
  }
}
