/** Error classes as a user's module exports them. */

export class PaymentError extends TypeError {
  readonly amount: number;
  constructor(message: string, amount: number, options?: ErrorOptions) {
    super(message, options);
    this.amount = amount;
  }
  get half(): number {
    return this.amount / 2;
  }
}

export class NamedError extends Error {
  override get name(): string {
    return "NamedByGetter";
  }
}
